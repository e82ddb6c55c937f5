"""Membership inference from the cross-entropy loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Loss(SignalAttack[ScoreTarget]):
    """Loss attack.

    Training lowers the loss of the members. A record whose loss is low is called a member.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, adversary 2.
    """

    id: ClassVar[str] = "membership/loss"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Negative cross-entropy in nats; probabilities are clipped from below at 1e-300."""
        answers = target.predict_proba(records)
        true = answers[np.arange(len(records)), target.positions(records.y)]
        return np.asarray(np.log(np.maximum(true, 1e-300)))
