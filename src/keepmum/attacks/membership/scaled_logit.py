"""Membership inference from the scaled logit of the true label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks.membership._base import Scores, SignalAttack
from keepmum.data import Records
from keepmum.shadows import scaled_logit
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class ScaledLogit(SignalAttack[ScoreTarget]):
    """Scaled-logit attack.

    The log-odds of the true label against all others: the margin that LiRA models. It orders people as the loss does,
    but keeps apart those whose probability has been rounded to one.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. Membership Inference Attacks From First Principles.
      S&P 2022, arXiv:2112.03570, section IV.C and appendix.
    """

    id: ClassVar[str] = "membership/scaled-logit"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570",)

    def signal(self, target: ScoreTarget, records: Records) -> Scores:
        """Log-odds of the true label, computed from the other labels' sum; clipped at ±690."""
        return scaled_logit(target, records)
