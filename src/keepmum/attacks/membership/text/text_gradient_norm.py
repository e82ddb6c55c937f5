"""Membership inference for documents from the gradient of the loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack
from keepmum.attacks.membership.text._windows import pieces
from keepmum.targets.text import GradientTextTarget


@dataclass(frozen=True)
class TextGradientNorm(TextMembershipAttack[GradientTextTarget]):
    """Gradient-norm attack on documents.

    Training moves the weights to where the members pull no more. A document that would hardly move them is called a
    member. The attacker holds the model itself. Of a text longer than the context, windows are asked about, and their
    norms averaged.

    References:
      Nasr, Shokri, Houmansadr. Comprehensive Privacy Analysis of Deep Learning. S&P 2019, arXiv:1812.00910, section
      III.A (gradients as a signal).
    """

    id: ClassVar[str] = "membership/text-gradient-norm"
    needs: ClassVar[type[GradientTextTarget]] = GradientTextTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1812.00910",)

    @property
    def per_record(self) -> int:
        """One gradient."""
        return 1

    def rate(self, target: GradientTextTarget, texts: list[str], ctx: Context) -> Scores:
        """Negative Euclidean norm of the gradient of the mean loss with respect to all weights."""
        windows = [[text for _, text in pieces(target, text)] if text else [] for text in texts]
        norms = iter(target.gradient_norms([text for own in windows for text in own]).tolist())
        told = [[norm for norm in [next(norms) for _ in own] if np.isfinite(norm)] for own in windows]
        return -np.array([np.mean(own) if own else np.nan for own in told], dtype=np.float64)
