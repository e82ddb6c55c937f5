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
    """

    hidden: Hidden
    people: Records
    public: Records
    public_truth: NDArray[np.intp]
    complete: Records = field(repr=False)

    def __post_init__(self) -> None:
        self._memory: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self.people)

    @property
    def draws(self) -> int:
        """Completions of each record: 1 where the attacker knows all other columns."""
        return min(DRAWS, len(self.public)) if self.hidden.unknown else 1

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

    def blocks(self) -> Iterator[Records]:
        """Candidate records: for each person each value, and for each value each completion, person after person."""
        each = len(self.hidden) * self.draws
        step = max(1, BLOCK // each)
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

        table = self.features
        near = NearestNeighbors(n_neighbors=self.draws).fit(np.column_stack([table.public, table.public_label]))
        return np.asarray(near.kneighbors(np.column_stack([table.people, table.people_label]))[1], dtype=np.intp)

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

    def mean(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Something about each candidate record, ``(rows, …)``, as ``(n, V, …)``: the mean over completions."""
        shape = (len(self), len(self.hidden), self.draws, *values.shape[1:])
        return np.asarray(values.reshape(shape).mean(axis=2))

    def answers(self, target: LabelTarget) -> NDArray[np.float64]:
        """Probability of each class with each value put in, shape ``(n, V, K)``; 0 or 1 where only labels are told."""
        if isinstance(target, ScoreTarget):
            return self.mean(self.asked(target, "scores", target.predict_proba, self.rows))
        return self.labels(target)

    def labels(self, target: LabelTarget) -> NDArray[np.float64]:
        """Predicted class with each value put in, as ``(n, V, K)`` of 0 and 1 (their mean over completions)."""
        places = self.asked(target, "labels", target.predict, self.rows)
        return self.mean(np.eye(len(target.classes))[places])

    def predictions(self, target: RegressionTarget) -> NDArray[np.float64]:
        """Predicted number with each value put in, shape ``(n, V)``."""
        return self.mean(self.asked(target, "values", target.predict_value, self.rows))

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

    def as_public(self) -> Question:
        """The same question about the attacker's own people: what an attacker who learns can practice on."""
        if "public" not in self._memory:
            blank = self.hidden.donors.take(np.zeros(len(self.public), dtype=np.intp))
            people = self.public.replace(blank, self.hidden.columns)
            self._memory["public"] = Question(self.hidden, people, self.public, self.public_truth, self.public)
        practice: Question = self._memory["public"]
        return practice
