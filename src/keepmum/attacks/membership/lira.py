"""Membership inference by the likelihood ratio of two normal distributions for each record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack, log_normal
from keepmum.shadows import Shadows

PER_RECORD = 64
"""Shadow models from which on each record has variances of its own."""
SMALLEST = 1e-6
"""Smallest variance, as a share of the variance of all signals."""


@dataclass(frozen=True)
class Lira(ShadowAttack):
    """LiRA, online.

    Half of the attacker's models were trained on the record and half were not: is the target's margin more like the
    former? Both groups are taken to be normal, with means of the record's own. Variances are the record's own from 64
    models up, and below that one for all records on each side (LiRA with fixed variance).

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. Membership Inference Attacks From First Principles.
      S&P 2022, arXiv:2112.03570, algorithm 1 and section VI.C (fixed variance).
    """

    id: ClassVar[str] = "membership/lira"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570",)
    fewest: ClassVar[int] = 4

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """``log N(s; mean in, variance in) - log N(s; mean out, variance out)``."""
        sums, likelihood = shadows.sums, {}
        for side in ("inside", "outside"):
            variance = variances(shadows, side)
            likelihood[side] = log_normal(signal, sums.mean(side), variance)
        return likelihood["inside"] - likelihood["outside"]


def variances(shadows: Shadows, side: str) -> Scores | float:
    """Variance of the signal over the models of a side: each record's own from 64 models up, else one for all."""
    sums = shadows.sums
    total = sums.inside + sums.outside
    floor = max(1e-12, SMALLEST * float((total[2].sum() - total[1].sum() ** 2 / total[0].sum()) / total[0].sum()))
    if len(shadows) >= PER_RECORD:
        return np.maximum(sums.variance(side), floor)
    return max(sums.pooled_variance(side), floor)
