"""What every attack has: an id, the access it needs, its sources, and a `run` that returns a finding."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from keepmum.choices import Effort
from keepmum.data import Records, Split
from keepmum.findings import Finding
from keepmum.overlap import Overlap
from keepmum.shadows import Shadows, ShadowStore
from keepmum.stats import Estimate
from keepmum.targets._base import Target
from keepmum.texts import Secrets
from keepmum.training import Trainer

T = TypeVar("T", bound=Target)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Scores that an attack gave, for those who check it: never part of a report.

    Attributes:
      ids: ``(n,)`` ids of the records.
      is_member: ``(n,)`` truth.
      scores: ``(n,)`` scores.
      extracted: ``(n,)`` whether the text itself came out, or None where nothing comes out.
    """

    ids: NDArray[np.intp]
    is_member: NDArray[np.bool_]
    scores: NDArray[np.float64]
    extracted: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Context:
    """What an audit lends to an attack.

    Attributes:
      seed: Seed of the audit.
      attack: Id of the attack that this context is lent to.
      population: The attacker's own records where the attack uses some.
      baseline: What the best attacker without the target reaches, by metric.
      prior: Declared share of members among the people an attacker asks about.
      delta: Delta of the privacy claim that `epsilon_lower_bound` speaks about.
      slices: Columns to report groups by.
      overlap: Records that stood on both sides of the split and were taken out, or None where none can be compared.
      shadows: What shadow models say about the audited records, if there are any.
      without_shadows: Why there are none, and how to have some.
      trainer: The target's recipe, for attacks that train models of their own kind; None where none may be trained.
      store: Where what such models say is kept.
      queries_left: Rows that the target may still be asked about, or None for any number.
      ledger: Where attacks leave the scores that they gave: id of the attack → `Ledger`.
      games: What attacks share that play the same game: of one hidden attribute, by its name; of pictures.
      pictures: Where attacks leave what they reconstructed, for the closed folder: id of the attack → pictures.
      seconds: Where attacks leave how long the search for one class took: id of the attack → seconds. It differs from
        run to run, so it is no part of a report.
      remarks: Where attacks leave what is to be said beside their numbers: id of the attack → one sentence.
      trained_on: Everyone whom the target was trained on, as given: copies, and people whom the audit leaves out,
        included; None where these are the members.
      reference: A model like the target that never saw the members: the base model of a fine-tuned one, say.
      secrets: The secrets that are asked about, for what is known of their kinds; None where there are none.
      evidence: Where attacks leave texts that came out, for the closed folder: id of the attack → one text a secret.
    """

    seed: int = 0
    attack: str = ""
    population: Records | None = None
    baseline: Mapping[str, Estimate] = field(default_factory=dict)
    prior: float = 0.1
    delta: float = 0.0
    slices: tuple[str, ...] = ()
    overlap: Overlap | None = None
    shadows: Shadows | None = None
    without_shadows: str = "none were asked for; audit with shadows=16, or --shadows 16"
    trainer: Trainer | None = None
    store: ShadowStore = field(default_factory=ShadowStore)
    queries_left: int | None = None
    ledger: dict[str, Ledger] = field(default_factory=dict)
    games: dict[str, Any] = field(default_factory=dict)
    pictures: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    trained_on: Records | None = None
    reference: Target | None = None
    secrets: Secrets | None = None
    evidence: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def rng(self) -> np.random.Generator:
        """Randomness that depends on the seed and the attack alone."""
        return np.random.default_rng([self.seed, zlib.crc32(self.attack.encode())])

    def lend(self, attack: str, queries_left: int | None = None) -> Context:
        """The same context for another attack."""
        return replace(self, attack=attack, queries_left=queries_left)


@dataclass(frozen=True)
class Attack(ABC, Generic[T]):
    """A guessing game about people in the training data.

    Attributes:
      id: ``family/technique``.
      needs: The access that it needs.
      references: Papers, as ``arXiv:…`` or a citation.
      labels_of_others: Whether it looks at the labels of the population: it is then given those records alone whose
        labels the model knows.
      by_recipe: Whether its findings rest on models of the target's recipe, and are void where these are not like it.
    """

    id: ClassVar[str]
    needs: ClassVar[type[Target]]
    references: ClassVar[tuple[str, ...]]
    labels_of_others: ClassVar[bool] = True
    by_recipe: ClassVar[bool] = False

    @classmethod
    def variants(cls) -> tuple[Attack[Any], ...]:
        """The same attack with other settings, for those who ask for one by its name; an audit plays none by itself."""
        return ()

    @property
    def name(self) -> str:
        """Id with its variant, as findings carry it."""
        return self.id

    @property
    def per_record(self) -> int:
        """Most rows that are asked about for each record beyond its own answer, which all attacks share."""
        return 0

    def asks(self, target: T) -> int:
        """Rows that are asked about at most beyond the people's own and those for each record."""
        return 0

    @property
    def purse(self) -> str:
        """What its further rows are paid from: attacks that ask about the same rows share one."""
        return self.name

    @property
    def trains(self) -> int:
        """Models that it trains beyond the shadow models of the audit."""
        return 0

    @property
    def family(self) -> str:
        """The part of the id before the slash."""
        return self.id.split("/", 1)[0]

    @property
    def access(self) -> str:
        """The access that findings name."""
        return self.needs.access

    def unsuited(self, records: Records) -> str | None:
        """Why it cannot be played on records of this kind, or None."""
        return None

    def refuse(self, data: Split) -> None:
        """Say what is wrong with the records before anything is asked; most attacks take what comes.

        Raises:
          DataError: They are not as they are declared to be.
        """

    def fits(self, records: Records, effort: Effort) -> bool:
        """Whether an audit of such records plays it unless told otherwise; who asks for it by name gets it anyway."""
        return self.unsuited(records) is None

    def paced(self, effort: Effort) -> Attack[T]:
        """The same attack with as much work as an audit of this effort grants; most take what they need."""
        return self

    @abstractmethod
    def run(self, target: T, data: Split, ctx: Context) -> Finding:
        """Play the game and tell what came of it."""

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if not isinstance(target, self.needs):
            return f"needs {self.needs.access} access, the target offers {target.access}"
        return None
