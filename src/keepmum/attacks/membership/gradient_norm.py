"""Membership inference from the gradient of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.data import Records
from keepmum.targets._base import GradientTarget


@dataclass(frozen=True)
class GradientNorm(MembershipAttack[GradientTarget]):
    """Gradient-norm attack.

    Training moves the parameters to where the members' losses pull no more. A record that would hardly move them is
    called a member. The attacker holds the model itself.

    References:
      Nasr, Shokri, Houmansadr. Comprehensive Privacy Analysis of Deep Learning. S&P 2019, arXiv:1812.00910, section
      III.A (gradients as a signal). Rezaei, Liu. On the Difficulty of Membership Inference Attacks. CVPR 2021,
      arXiv:2005.13702, section 3 (their norms).
    """

    id: ClassVar[str] = "membership/gradient-norm"
    needs: ClassVar[type[GradientTarget]] = GradientTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1812.00910", "arXiv:2005.13702")

    @property
    def per_record(self) -> int:
        """One gradient."""
        return 1

    def score(self, target: GradientTarget, records: Records, ctx: Context) -> Scores:
        """Negative Euclidean norm of the gradient of the cross-entropy with respect to all parameters."""
        return -target.gradient_norms(records)
