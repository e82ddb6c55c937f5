"""Membership inference from the modified entropy of the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class ModifiedEntropy(SignalAttack[ScoreTarget]):
    """Modified-entropy attack.

    A member's prediction is both confident and right, so its modified entropy is low. Unlike plain entropy it also
    falls with the probability of the *true* label: a confident mistake does not look like membership.

    References:
      Song, Mittal. Systematic Evaluation of Privacy Risks of Machine Learning Models.
      USENIX Security 2021, arXiv:2003.10595, section 3.1, equation 4.
    """

    id: ClassVar[str] = "membership/modified-entropy"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2003.10595",)

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Negative modified entropy in nats; logarithms are clipped from below at log(1e-300)."""
        answers = target.predict_proba(records)
        rows, label = np.arange(len(records)), target.positions(records.y)
        true = answers[rows, label]
        wrong = answers.copy()
        wrong[rows, label] = 0.0
        own = (1 - true) * np.log(np.maximum(true, 1e-300))
        others = (wrong * np.log(np.maximum(1 - wrong, 1e-300))).sum(axis=1)
        return np.asarray(own + others)
