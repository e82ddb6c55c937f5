"""What a defense is: it returns the same kind of thing that it was given, so that every attack runs on it unchanged."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.targets._base import Floats, RegressionTarget, ScoreTarget, Target
from keepmum.training import Around, Trainer


@dataclass(frozen=True)
class Defense(ABC):
    """Something that is meant to make a model give away less. Settings are its fields.

    Attributes:
      id: ``output/technique`` or ``training/technique``.
      references: Papers, as ``arXiv:…`` or a citation; empty for what everybody knows.
    """

    id: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """Id, with the settings that are not the default: ``output/rounding:decimals=1``."""
        changed = [f for f in fields(self) if f.repr and getattr(self, f.name) != f.default]
        told = ",".join(f"{f.name}={getattr(self, f.name)}" for f in changed)
        return f"{self.id}:{told}" if told else self.id


def is_whole(value: object) -> bool:
    """Whether a setting is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


@dataclass(frozen=True)
class OutputDefense(Defense):
    """Changes what a served model answers; the model stays as it is.

    `answer` says what becomes of probabilities; row by row, so that neither the other rows of a batch nor their order
    matter. `protect` puts it in front of a model.

    Attributes:
      keeps_label: Whether the most probable class stays the most probable one.
      repeatable: Whether the same question always gets the same answer.
      limited: Whether it stops answering after so many questions.
    """

    keeps_label: ClassVar[bool] = True
    repeatable: ClassVar[bool] = True
    limited: ClassVar[bool] = False

    @abstractmethod
    def answer(self, scores: Floats) -> Floats:
        """What is answered instead of the model's probabilities.

        Args:
          scores: ``(n, K)`` rows that sum to 1.

        Returns:
          ``(n, K)`` rows that sum to 1.
        """

    def undone(self, answers: Floats) -> Floats:
        """What whoever knows the defense makes of its answers: the model's own, where nothing was taken away.

        Args:
          answers: ``(n, K)`` rows as they are answered.

        Returns:
          ``(n, K)``; the answers themselves if nothing can be undone.
        """
        return answers

    @property
    def key(self) -> str:
        """All settings, as text: what shadow models behind it say is stored under it."""
        return f"{self.id}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields(self))})"

    def drawn_from(self, seed: int) -> OutputDefense:
        """The same defense with what it draws drawn from a seed, so that an audit can be repeated."""
        return self

    def bits(self, classes: int) -> float | None:
        """Bits that one answer about ``classes`` classes can carry at the most; None if nothing limits them."""
        return None

    def answer_values(self, values: Floats) -> Floats:
        """What is answered instead of a regression model's values, ``(n,)`` in the units of the model.

        Raises:
          NotApplicableError: The defense speaks of probabilities alone.
        """
        raise NotApplicableError(f"{self.id} needs a model that answers with probabilities, got one of values")

    def protect(self, target: Target) -> Target:
        """The model behind this defense.

        Raises:
          NotApplicableError: The model tells neither probabilities nor, where the defense can change some, values.
        """
        if isinstance(target, ScoreTarget):
            return GuardedScores(target, self)
        if isinstance(target, RegressionTarget):
            self.answer_values(np.zeros(0))
            return GuardedValues(target, self)
        raise NotApplicableError(f"{self.id} needs scores or values access, the target offers {target.access}")


class GuardedScores(ScoreTarget):
    """`ScoreTarget` behind an output defense: whoever asks gets what the defense answers, and nothing of the inside.

    Args:
      inner: The model.
      defense: What stands in front of it.
    """

    def __init__(self, inner: ScoreTarget, defense: OutputDefense) -> None:
        super().__init__(inner.classes)
        self.inner, self.defense = inner, defense
        self.notes = [*inner.notes, f"answers pass {defense.name}"]

    def undone(self, answers: Floats) -> Floats:
        """Answers with all undone that can be, what stands in front first."""
        inner = self.defense.undone(answers)
        return self.inner.undone(inner) if isinstance(self.inner, GuardedScores) else inner

    def _predict_proba(self, records: Records) -> Floats:
        return self.defense.answer(self.inner.predict_proba(records))


class GuardedValues(RegressionTarget):
    """`RegressionTarget` behind an output defense.

    Args:
      inner: The model.
      defense: What stands in front of it.
    """

    def __init__(self, inner: RegressionTarget, defense: OutputDefense) -> None:
        super().__init__()
        self.inner, self.defense = inner, defense
        self.notes = [*inner.notes, f"answers pass {defense.name}"]

    def _predict_value(self, records: Records) -> Floats:
        return self.defense.answer_values(self.inner.predict_value(records))


@dataclass(frozen=True)
class TrainingDefense(Defense):
    """Changes how a model is trained.

    Attributes:
      canaries: How the records are made that it protects worst: ``"mislabelled"``, or ``"duplicated"``, mislabelled
        and trained on twice, where what helps is that records are trained on apart.
    """

    canaries: ClassVar[str] = "mislabelled"

    @property
    def cost(self) -> float:
        """About how many times a plain training it takes, so that a budget can tell whether it fits."""
        return 1.0

    def given(self, public: Records) -> TrainingDefense:
        """The same defense with these public records, where it uses some and was not given any."""
        return self

    @abstractmethod
    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with this defense in it; its key tells the defense and all its settings.

        Raises:
          NotApplicableError: It makes no sense for recipes of this kind.
        """


class BehindOutput(Around):
    """A recipe whose models stand behind an output defense, as an attacker who knows the defense trains them.

    Args:
      inner: The recipe.
      defense: What stands in front of each model.
    """

    def __init__(self, inner: Trainer, defense: OutputDefense) -> None:
        self.inner, self.defense = inner, defense

    @property
    def key(self) -> str:
        """The recipe's, and the defense's."""
        drawn = "" if self.defense.repeatable else ", drawn from each model's seed"
        return f"{self.inner.key} behind {self.defense.key}{drawn}"

    def train(self, records: Records, seed: int) -> Any:
        """Train one model, and put the defense in front of it."""
        return self.defense.drawn_from(seed).protect(self.inner.train(records, seed))

    def train_fleet(self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]) -> Iterator[Any]:
        """Train several models, each behind the defense."""
        for target, seed in zip(self.inner.train_fleet(records, trained_on, seeds), seeds, strict=True):
            yield self.defense.drawn_from(seed).protect(target)


def defended(trainer: Trainer, *defenses: Defense) -> Trainer:
    """A recipe with defenses: those of training in their order, then those of the answers in theirs.

    Shadow models of the result stand behind the same defenses as the target: the adaptive attacker's.

    Raises:
      NotApplicableError: A defense makes no sense for this recipe.
    """
    for defense in sorted(defenses, key=lambda each: isinstance(each, OutputDefense)):
        if isinstance(defense, OutputDefense):
            trainer = BehindOutput(trainer, defense)
        elif isinstance(defense, TrainingDefense):
            trainer = defense.protect(trainer)
    return trainer
