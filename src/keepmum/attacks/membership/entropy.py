"""Membership inference from the entropy of the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Entropy(SignalAttack[ScoreTarget]):
    """Prediction-entropy attack.

    A model hesitates over people it has not met: the entropy of its answer is high. No label is needed.

    References:
      Shokri, Stronati, Song, Shmatikov. S&P 2017, arXiv:1610.05820, section VI;
      Song, Mittal. USENIX Security 2021, arXiv:2003.10595, section 3.1, equation 3.
    """

    id: ClassVar[str] = "membership/entropy"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820", "arXiv:2003.10595")

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Negative Shannon entropy in nats; 0 log 0 = 0."""
        answers = target.predict_proba(records)
        return np.asarray((answers * np.log(np.maximum(answers, 1e-300))).sum(axis=1))
