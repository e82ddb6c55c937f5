"""What an attacker is asked about people, and what there is to answer it with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.attribute._features import Features, features
from keepmum.attacks.attribute._hidden import Hidden
from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import LabelTarget, RegressionTarget, ScoreTarget, Target

Guesses = NDArray[np.float64]

DRAWS = 8
"""Completions of each record whose unknown columns are averaged over."""
BLOCK = 100_000
"""Candidate records that the model is asked about at once."""
PRACTICE = 2_000
"""Most people of their own that attackers who learn ask the model about."""
FLOOR = 1e-12
"""Probabilities are never taken to be smaller."""


@dataclass(eq=False)
class Question:
    """Which value does the hidden attribute of these people have?

    ``n`` people, ``V`` candidate values, ``P`` people of the attacker's own, about whom everything is known.

    Attributes:
      hidden: What is hidden.
      people: Their known columns and labels; the hidden columns hold the first candidate value for everybody.
      public: The attacker's own people.
      public_truth: ``(P,)`` positions of their values.
      complete: The same people with their true values, for attackers who see the model's answer about the true record.
      own: ``(n,)`` their places in `public` where they are the attacker's own, none of whom is completed by themselves.
    """

    hidden: Hidden
    people: Records
    public: Records
    public_truth: NDArray[np.intp]
    complete: Records = field(repr=False)
    own: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        self._memory: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.people)

    @property
    def draws(self) -> int:
        """Completions of each record: 1 where the attacker knows all other columns."""
        return min(DRAWS, len(self.public) - 1) if self.hidden.unknown else 1

    @property
    def rows(self) -> int:
        """Candidate records in all."""
        return len(self) * len(self.hidden) * self.draws

    @cached_property
    def prior(self) -> NDArray[np.float64]:
        """``(V,)`` share of each value among the attacker's own people, with one half of a person added to each."""
        counts = np.bincount(self.public_truth, minlength=len(self.hidden)) + 0.5
        return np.asarray(counts / counts.sum())

    @cached_property
    def features(self) -> Features:
        """The known columns of public and people as numbers, for attackers who learn."""
        known = [c for c in self.public.columns if c not in {*self.hidden.columns, *self.hidden.unknown}]
        return features(self.public, self.people, known)

    def blocks(self, size: int = BLOCK) -> Iterator[Records]:
        """Candidate records: for each person each value, and for each value each completion, person after person.

        Args:
          size: Records of a block at most, but those of one person at least.
        """
        each = len(self.hidden) * self.draws
        step = max(1, size // each)
        for start in range(0, len(self), step):
            yield self._candidates(np.arange(start, min(start + step, len(self))))

    def _candidates(self, people: NDArray[np.intp]) -> Records:
        values, draws = len(self.hidden), self.draws
        made = self.people.take(np.repeat(people, values * draws))
        if self.hidden.unknown:
            donors = np.repeat(self._alike[people][:, None, :], values, axis=1).reshape(-1)
            made = made.replace(self.public.take(donors), self.hidden.unknown)
        chosen = np.tile(np.repeat(np.arange(values), draws), len(people))
        return made.replace(self.hidden.donors.take(chosen), self.hidden.columns)

    @cached_property
    def _alike(self) -> NDArray[np.intp]:
        """``(n, draws)`` people of the attacker's own who are most like each person in what is known."""
        from sklearn.neighbors import NearestNeighbors

        table, more = self.features, self.draws + (self.own is not None)
        near = NearestNeighbors(n_neighbors=more).fit(np.column_stack([table.public, table.public_label]))
        found = near.kneighbors(np.column_stack([table.people, table.people_label]))[1]
        if self.own is not None:  # stable: everyone else keeps their order, oneself goes last
            last = np.argsort(found == self.own[:, None], axis=1, kind="stable")
            found = np.take_along_axis(found, last, axis=1)[:, : self.draws]
        return np.asarray(found, dtype=np.intp)

    def remember(self, what: str, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """What was made once under this name."""
        if what not in self._memory:
            self._memory[what] = make()
        return np.asarray(self._memory[what])

    def asked(self, target: Target, what: str, ask: Callable[[Records], NDArray[Any]], rows: int) -> NDArray[Any]:
        """What the target says, asked once; whoever asks again pays as much."""
        if what in self._memory:
            target.queries += rows
        else:
            try:
                self._memory[what] = np.concatenate([ask(block) for block in self.blocks()])
            except TargetError as err:
                raise TargetError(f"hidden {self.hidden.name}: with a candidate value put in, {err}") from err
        return np.asarray(self._memory[what])

    def each(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Something about each candidate record, ``(rows, …)``, as ``(n, V, completions, …)``."""
        return np.asarray(values.reshape(len(self), len(self.hidden), self.draws, *values.shape[1:]))

    def mean(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Something about each candidate record, ``(rows, …)``, as ``(n, V, …)``: the mean over completions."""
        return np.asarray(self.each(values).mean(axis=2))

    def scores(self, target: ScoreTarget) -> NDArray[np.float64]:
        """Probabilities about each candidate record, ``(rows, K)``, in the order of `blocks`."""
        return self.asked(target, "scores", target.predict_proba, self.rows)

    def answers(self, target: LabelTarget) -> NDArray[np.float64]:
        """Probability of each class with each value put in, shape ``(n, V, K)``; 0 or 1 where only labels are told."""
        if isinstance(target, ScoreTarget):
            return self.mean(self.scores(target))
        return self.labels(target)

    def labels(self, target: LabelTarget) -> NDArray[np.float64]:
        """Predicted class with each value put in, as ``(n, V, K)`` of 0 and 1 (their mean over completions)."""
        if isinstance(target, ScoreTarget):  # what it predicts is its most probable class: no second question
            places = self.scores(target).argmax(axis=1)
        else:
            places = self.asked(target, "labels", target.predict, self.rows)
        return self.mean(np.eye(len(target.classes))[places])

    def predictions(self, target: RegressionTarget) -> NDArray[np.float64]:
        """Predicted number with each value put in, shape ``(n, V)``."""
        return self.mean(self.asked(target, "values", target.predict_value, self.rows))

    def residuals(self, target: RegressionTarget) -> NDArray[np.float64]:
        """Predicted number less the person's own, with each value and completion: ``(n, V, completions)``."""
        predicted = self.each(self.asked(target, "values", target.predict_value, self.rows))
        return np.asarray(predicted - target.values(self.people.y)[:, None, None])

    def about_own(
        self, target: Target, what: str, ask: Callable[[Records], NDArray[Any]], rows: NDArray[np.intp]
    ) -> NDArray[Any]:
        """What the target says about the people at these places in `public`, as they are; asked once."""
        name = f"own {what} {rows.tolist()}"
        if name in self._memory:
            target.queries += len(rows)
        return self.remember(name, lambda: ask(self.public.take(rows)))

    def own_labels(self, target: LabelTarget, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Predicted classes of these own people, as they are."""
        if isinstance(target, ScoreTarget):
            return np.asarray(self.about_own(target, "scores", target.predict_proba, rows).argmax(axis=1))
        return self.about_own(target, "labels", target.predict, rows)

    def own_error(self, target: RegressionTarget, rows: NDArray[np.intp]) -> float:
        """Root mean square of the residuals of these own people."""
        predicted = self.about_own(target, "values", target.predict_value, rows)
        return float(np.sqrt(((predicted - target.values(self.public.y[rows])) ** 2).mean()))

    def true_label(self, target: LabelTarget) -> NDArray[np.intp]:
        """``(n,)`` positions of the people's labels, which the attacker knows."""
        return target.positions(self.people.y)

    def of_true_label(self, answers: NDArray[np.float64], target: LabelTarget) -> NDArray[np.float64]:
        """What `answers` gives to each person's own label, shape ``(n, V)``."""
        return np.asarray(np.take_along_axis(answers, self.true_label(target)[:, None, None], axis=2)[:, :, 0])

    def posterior(self, likelihood: NDArray[np.float64], prior: NDArray[np.float64] | None = None) -> Guesses:
        """``likelihood · prior``, scaled so that each person's values sum to 1.

        Args:
          likelihood: ``(n, V)``, at least 0.
          prior: ``(V,)`` or ``(n, V)``; shares among the attacker's own people if None.
        """
        weighed = np.maximum(likelihood, FLOOR) * (self.prior if prior is None else prior)
        return np.asarray(weighed / weighed.sum(axis=1, keepdims=True))

    def practice(self, most: int, seed: int) -> NDArray[np.intp]:
        """Places of the people of their own, in random order, that an attacker practices on: `PRACTICE` at most."""
        order = np.random.default_rng([seed, 0x6F776E]).permutation(len(self.public))
        return order[: max(1, min(most, PRACTICE))]

    def as_public(self, rows: NDArray[np.intp] | None = None) -> Question:
        """The same question about the attacker's own people: what an attacker who learns can practice on.

        Args:
          rows: Places of some in `public`; everybody if None.
        """
        chosen = np.arange(len(self.public)) if rows is None else rows
        name = f"public {chosen.tolist()}"
        if name not in self._memory:
            complete = self.public.take(chosen)
            blank = self.hidden.donors.take(np.zeros(len(chosen), dtype=np.intp))
            people = complete.replace(blank, self.hidden.columns)
            self._memory[name] = Question(self.hidden, people, self.public, self.public_truth, complete, chosen)
        practice: Question = self._memory[name]
        return practice
