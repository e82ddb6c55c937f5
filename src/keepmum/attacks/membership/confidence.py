"""Membership inference from the highest probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Confidence(SignalAttack[ScoreTarget]):
    """Maximum-confidence attack.

    A model is surer of what it was trained on, whatever it says. The attacker needs no label: the highest probability
    of the answer is the score.

    References:
      Salem, Zhang, Humbert, Berrang, Fritz, Backes. ML-Leaks. NDSS 2019, arXiv:1806.01246, section V.
    """

    id: ClassVar[str] = "membership/confidence"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1806.01246",)

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Highest probability, 0 … 1."""
        return np.asarray(target.predict_proba(records).max(axis=1))
