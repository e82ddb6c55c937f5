"""What is kept of each model's answers: what an attacker with scores sees, what one with labels sees, and utility."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership.augmentation import copies_of
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.shadows import Shadows
from keepmum.shadows._signal import Signal, scaled_logit
from keepmum.targets._base import LabelTarget, ScoreTarget
from keepmum.targets.averaged import averaged

COPIES = 12
"""Noisy copies of each record that the attacker with labels asks about, besides the record."""
NOISE = 0.1
"""Standard deviation of that noise, in units of each column's; what is no number is changed at this rate."""
ASKED = 16
"""Times that an attacker asks for each answer that carries noise."""


@dataclass(frozen=True)
class Ask:
    """Asks a model about everyone: ``(n, 4)``.

    Attributes:
      repeats: Questions for each answer with probabilities, whose mean is taken.
      seed: Of the noise in copies; every model is asked about the same copies.
    """

    repeats: int = 1
    seed: int = 0

    def __call__(self, target: Any, records: Records) -> NDArray[np.float64]:
        """Margin of the label, share of copies that get it, whether the record gets it, and the top probability."""
        known = target.knows(records.y)
        right = np.zeros(len(records))
        rows = np.flatnonzero(known)
        some = records.take(rows)
        right[rows] = target.predict(some) == target.positions(some.y)
        if isinstance(target, ScoreTarget):
            source = averaged(target, self.repeats)
            assert isinstance(source, ScoreTarget)
            margin = scaled_logit(source, records, unknown=True)
            sure = target.predict_proba(records).max(axis=1)
        else:
            margin, sure = 2 * right - 1, np.ones(len(records))
        votes = np.zeros(len(records))
        votes[rows] = self._votes(target, some, right[rows])
        return np.column_stack([margin, votes, right, sure])

    def _votes(self, target: LabelTarget, records: Records, right: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the record and its noisy copies whose label is the record's."""
        rng, label = np.random.default_rng([self.seed, 0x766F7465]), target.positions(records.y)
        total = right.copy()
        try:
            around = neighbors(records)
            for _ in range(COPIES // 2):
                total += target.predict(around.noisy(rng, NOISE)) == label
            for copy in copies_of(records, COPIES - COPIES // 2, 2 * NOISE, rng):
                total += target.predict(copy) == label
        except NotApplicableError:
            return right
        return np.asarray(total / (1 + COPIES))


def signal(repeats: int, seed: int) -> Signal:
    """What a store keeps of each model."""
    return Signal(f"harden 1, {repeats} questions, copies {COPIES} {NOISE} {seed}", Ask(repeats, seed))


@dataclass(frozen=True, eq=False)
class Said:
    """What the models of one fleet said about everyone. Models ``2i`` and ``2i + 1`` divide the records.

    Attributes:
      trained_on: ``(K, n)`` which model was trained on which record.
      margin: ``(K, n)`` scaled logit of the label; of a model that tells labels, 1 where it is right and -1 elsewhere.
      votes: ``(K, n)`` share of a record and its noisy copies that get the record's label.
      right: ``(K, n)`` whether the record gets its label.
      sure: ``(K, n)`` largest probability of the answer.
    """

    trained_on: NDArray[np.bool_]
    margin: NDArray[np.float64]
    votes: NDArray[np.float64]
    right: NDArray[np.bool_]
    sure: NDArray[np.float64]


def said_of(shadows: Shadows) -> Said:
    """What was stored of a fleet, in its parts."""
    margin, votes, right, sure = np.stack([np.asarray(row, dtype=np.float64) for row in shadows.signals]).T
    return Said(shadows.trained_on, margin.T, votes.T, right.T > 0.5, sure.T)
