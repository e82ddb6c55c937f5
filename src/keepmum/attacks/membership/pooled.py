"""Membership inference by a likelihood ratio whose means and variances borrow strength from all records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack, log_normal
from keepmum.shadows import Shadows, Sums

BINS = 20
"""Groups of records, by their mean, that curves are made of."""
SIDES = ("inside", "outside")


@dataclass(frozen=True)
class Pooled(ShadowAttack):
    """Likelihood ratio with pooled means and variances (empirical Bayes).

    With few models a record's own means are noise, but records that are alike behave alike: how hard a record is for
    models without it tells much about how they answer once they have seen it. What all records tell is weighed against
    what the record's own models tell, by how sure each is.

    References:
      Carlini et al. S&P 2022, arXiv:2112.03570, algorithm 1, with the priors of empirical Bayes: Efron, Morris. Data
      Analysis Using Stein's Estimator and its Generalizations. JASA 70 (1975), 311-319; the posterior predictive
      likelihoods are those of the normal model.
    """

    id: ClassVar[str] = "membership/pooled"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570",)
    fewest: ClassVar[int] = 4

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Predictive log-likelihood of the signal as a member's, less that as a non-member's."""
        return Spread.of(shadows.sums).ratio(signal, shadows.sums)


@dataclass(frozen=True, eq=False)
class Spread:
    """Variances of the signal over models on each side, as curves of the record's mean on that side.

    Attributes:
      at: ``(bins,)`` means, ascending, by side.
      curve: ``(bins,)`` variances there, by side.
      common: One variance for all records, by side.
    """

    at: dict[str, Scores]
    curve: dict[str, Scores]
    common: dict[str, float]

    @classmethod
    def of(cls, sums: Sums) -> Spread:
        """Curves from all records; needs at least two models on each side of a record."""
        at, curve, common = {}, {}, {}
        for side in SIDES:
            mean = sums.mean(side)
            common[side] = sums.pooled_variance(side) + 1e-6 * float(mean.var()) + 1e-12
            at[side], groups = _bins(mean)
            # Half-way to the common variance: where answers are steps, as those of trees, groups of records have no
            # variance at all, and a ratio that trusts this accuses at random.
            curve[side] = 0.5 * (_means(sums.variance(side), groups, len(at[side])) + common[side])
        return cls(at, curve, common)

    def ratio(self, signal: Scores, sums: Sums) -> Scores:
        """Log-ratio of the two predictive likelihoods, shape ``(n,)``."""
        own = {side: sums.mean(side) for side in SIDES}
        noise = {side: self.common[side] / np.maximum(getattr(sums, side)[0], 1.0) for side in SIDES}
        out = _shrink(own["outside"], noise["outside"], np.full(len(signal), own["outside"].mean()))
        at, groups = _bins(out[0])
        expected = np.interp(out[0], at, _means(own["inside"], groups, len(at)))
        seen = _shrink(own["inside"], noise["inside"], expected)
        likelihood = [
            log_normal(signal, mean, np.interp(mean, self.at[side], self.curve[side]) + unsure)
            for side, (mean, unsure) in zip(SIDES, (seen, out), strict=True)
        ]
        return np.asarray(likelihood[0] - likelihood[1])


def _shrink(own: Scores, noise: Scores, expected: Scores) -> tuple[Scores, Scores]:
    """Posterior mean and variance: each record's own mean drawn towards what is expected of records like it."""
    around = max(float(((own - expected) ** 2 - noise).mean()), 1e-3 * float(noise.mean()), 1e-12)
    weight = around / (around + noise)
    return expected + weight * (own - expected), weight * noise


def _bins(values: Scores) -> tuple[Scores, np.ndarray[tuple[int, ...], np.dtype[np.intp]]]:
    """Groups of about the same size, by value: the mean of each, and the group of each value."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    groups = np.searchsorted(edges, values, side="right")
    groups = np.unique(groups, return_inverse=True)[1]
    count = int(groups.max()) + 1
    return _means(values, groups, count), groups


def _means(values: Scores, groups: np.ndarray[tuple[int, ...], np.dtype[np.intp]], count: int) -> Scores:
    return np.asarray(np.bincount(groups, values, count) / np.bincount(groups, minlength=count))
