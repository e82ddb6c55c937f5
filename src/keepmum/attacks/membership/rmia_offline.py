"""Membership inference by relative likelihood, from models that never saw the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.attacks.membership.rmia import share_below
from keepmum.shadows import Shadows, Sums
from keepmum.shadows._fleet import log_probability
from keepmum.stats.roc import auc_value

PROBABILITY = 3
"""Row of `Sums` that holds the probability of the true label."""


@dataclass(frozen=True)
class RmiaOffline(ShadowAttack):
    """RMIA, offline.

    The attacker's models never saw the record, so how probable a model finds it on the whole, seen or not, is
    guessed from them: ``((1 + a) * p_out + 1 - a) / 2``, a line that leaves certain records certain. The slope ``a``
    is learned from the attacker's own models: each in turn plays the target, its pair partner left out, and the slope
    with the largest mean AUC is taken.

    Attributes:
      gamma: How many times larger the record's ratio has to be.
      slope: ``a``, between 0 and 1, or None to learn it.
      slopes: How many slopes between 0 and 1 are tried.
      targets: Most shadow models that play the target.
      rows: Most records that each is asked about while the slope is learned.

    References:
      Zarifzadeh, Liu, Shokri. Low-Cost High-Power Membership Inference Attacks. ICML 2024, arXiv:2312.03262,
      algorithm 1 and appendix B.2.2 (offline).
    """

    id: ClassVar[str] = "membership/rmia-offline"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2312.03262",)

    gamma: float = 1.0
    slope: float | None = None
    slopes: int = 11
    targets: int = 16
    rows: int = 20_000

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Share of records z with ``ratio(x) >= gamma * ratio(z)``."""
        slope = self.tune(shadows, rng) if self.slope is None else self.slope
        return share_below(offline_likelihood(signal, shadows.sums, slope), self.gamma)

    def tune(self, shadows: Shadows, rng: np.random.Generator) -> float:
        """The slope that tells members best when shadow models play the target; the truth about the target is not used.

        Without a second pair nobody is left to compare with, and the line is drawn through what the pair shows.
        """
        if len(shadows) < 4:
            return line(shadows.sums)
        tried = np.linspace(0.0, 1.0, self.slopes)
        some = np.sort(rng.permutation(len(shadows.ids))[: self.rows])
        areas = np.zeros(len(tried))
        for model in range(min(self.targets, len(shadows))):
            signal, sums, seen = shadows.row(model), shadows.without_pair(model), shadows.trained_on[model][some]
            for place, slope in enumerate(tried):
                ratio = offline_likelihood(signal, sums, float(slope))[some]
                areas[place] += auc_value(ratio[seen], ratio[~seen])
        return float(tried[areas.argmax()])


def line(sums: Sums) -> float:
    """Slope of the line through certainty and the mean probabilities of models without and with a record, 0 to 1."""
    unsure = [1 - float(sums.mean(side, PROBABILITY).mean()) for side in ("outside", "inside")]
    return float(np.clip(unsure[1] / max(unsure[0], 1e-12), 0.0, 1.0))


def offline_likelihood(signal: Scores, sums: Sums, slope: float) -> Scores:
    """``log (p(x | target) / (((1 + a) * mean of p(x | models without x) + 1 - a) / 2))``, shape ``(n,)``."""
    usual = ((1 + slope) * sums.mean("outside", PROBABILITY) + 1 - slope) / 2
    return np.asarray(log_probability(signal) - np.log(np.maximum(usual, 1e-300)))
