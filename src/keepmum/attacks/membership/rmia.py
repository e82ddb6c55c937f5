"""Membership inference by relative likelihood against other records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.shadows import Shadows
from keepmum.shadows._fleet import log_probability


@dataclass(frozen=True)
class Rmia(ShadowAttack):
    """RMIA, online.

    How much more probable does the target find the record's label than the attacker's models do, and for how many
    other records is that ratio smaller? A likelihood ratio test between the record and each of the others.

    Attributes:
      gamma: How many times larger the record's ratio has to be.

    References:
      Zarifzadeh, Liu, Shokri. Low-Cost High-Power Membership Inference Attacks. ICML 2024, arXiv:2312.03262,
      equations 4 and 10, algorithm 1.
    """

    id: ClassVar[str] = "membership/rmia"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2312.03262",)

    gamma: float = 1.0

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Share of records z with ``ratio(x) >= gamma * ratio(z)``."""
        return share_below(relative_likelihood(signal, shadows), self.gamma)


def share_below(ratio: Scores, gamma: float) -> Scores:
    """Share of records z with ``ratio(x) >= gamma * ratio(z)``, from logarithms of ratios, shape ``(n,)``."""
    # Deviation: the audited records themselves are the population z, as nobody else is at hand. All records are
    # compared with the same z, so the choice calibrates the score and leaves the order alone. Counting in a
    # sorted list gives the same share as comparing each with each.
    return np.asarray(np.searchsorted(np.sort(ratio), ratio - np.log(gamma), side="right") / len(ratio))


def relative_likelihood(signal: Scores, shadows: Shadows) -> Scores:
    """``log (p(x | target) / mean of p(x | shadows in and out, equally weighted))``, shape ``(n,)``."""
    sums = shadows.sums
    return np.asarray(log_probability(signal) - np.log((sums.mean("inside", 3) + sums.mean("outside", 3)) / 2))
