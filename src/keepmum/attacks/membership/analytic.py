"""Membership inference by a likelihood ratio whose distributions are computed instead of sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack, log_normal
from keepmum.attacks.membership.lira import Lira
from keepmum.data import Records
from keepmum.shadows import Shadows
from keepmum.shadows.analytic import disagreement, expected


@dataclass(frozen=True)
class Analytic(ShadowAttack):
    """LiRA with analytic shadows, for logistic regression.

    How a logistic regression answers about a record, with and without it, need not be sampled: it follows from the
    curvature of the loss. The attacker computes mean and variance of the record's margin over all halves of the data
    that could have been trained on, and takes the likelihood ratio. The few real models at hand check it: where they
    do not behave as computed, the attack falls back to LiRA on them, and the finding says so.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. Membership Inference Attacks From First Principles. S&P 2022,
      arXiv:2112.03570, algorithm 1 (the ratio). Koh, Liang. Understanding Black-box Predictions via Influence
      Functions. ICML 2017, arXiv:1703.04730, section 2, and Obuchi, Kabashima. Semi-Analytic Resampling in Lasso.
      JMLR 20 (2019), arXiv:1802.10254 (the distributions; derived in keepmum's pages on analytic shadows).
    """

    id: ClassVar[str] = "membership/analytic"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570", "arXiv:1703.04730", "arXiv:1802.10254")
    fewest: ClassVar[int] = 4

    def _compare(self, signal: Scores, shadows: Shadows, records: Records, ctx: Context) -> Scores:
        found = expected(ctx.trainer, records, shadows)
        reason = disagreement(found, shadows)
        if reason:
            ctx.remarks[self.name] = f"Analytic shadows do not hold here ({reason}): this is LiRA on the real ones."
            return self.infer(signal, shadows, ctx.rng)
        inside, outside = (log_normal(signal, *side) for side in (found.inside, found.outside))
        return np.asarray(inside - outside)

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """What is fallen back to."""
        return Lira().infer(signal, shadows, rng)
