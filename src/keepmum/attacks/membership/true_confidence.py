"""Membership inference from the probability of the true label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class TrueConfidence(SignalAttack[ScoreTarget]):
    """True-label-confidence attack.

    The attacker knows the record's label and asks how probable the model finds it: a member's own label was drilled.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, section 3;
      Song, Mittal. USENIX Security 2021, arXiv:2003.10595, section 3.1, equation 2.
    """

    id: ClassVar[str] = "membership/true-label-confidence"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604", "arXiv:2003.10595")

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Probability of the true label, 0 … 1."""
        answers = target.predict_proba(records)
        return np.asarray(answers[np.arange(len(records)), target.positions(records.y)])
