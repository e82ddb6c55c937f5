"""Membership inference by a likelihood ratio whose means and variances borrow strength from all records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.shadows import Shadows, Sums
from keepmum.shadows._bins import bins, means
from keepmum.shadows._fleet import compress

LEAST, TRUSTED = 4.0, 1e4
"""Degrees of freedom that the curve of variances counts for, at least and at most."""
SIDES = ("inside", "outside")


@dataclass(frozen=True)
class Pooled(ShadowAttack):
    """Likelihood ratio with pooled means and variances (empirical Bayes).

    With few models a record's own means are noise, but records that are alike behave alike: how hard a record is for
    models without it tells much about how they answer once they have seen it. What all records tell is weighed against
    what the record's own models tell, by how sure each is, for means and for variances. Signals are compressed first
    (inverse hyperbolic sine), which brings in their long tails.

    References:
      Carlini et al. S&P 2022, arXiv:2112.03570, algorithm 1, with the priors of empirical Bayes: Efron, Morris. Data
      Analysis Using Stein's Estimator and its Generalizations. JASA 70 (1975), 311-319, for the means; Smyth. Linear
      Models and Empirical Bayes Methods. Stat. Appl. Genet. Mol. Biol. 3 (2004), article 3, sections 5 and 6.2, for the
      variances; predictive likelihoods are Student's t.
    """

    id: ClassVar[str] = "membership/pooled"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570",)
    fewest: ClassVar[int] = 4

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Predictive log-likelihood of the signal as a member's, less that as a non-member's."""
        sums = shadows.compressed.sums
        return Spread.of(sums).ratio(compress(signal), sums)


@dataclass(frozen=True, eq=False)
class Spread:
    """Variances of the compressed signal over models on each side, as curves of the record's mean on that side.

    Attributes:
      at: ``(bins,)`` means, ascending, by side.
      curve: ``(bins,)`` variances there, by side.
      common: One variance for all records, by side.
      weight: Degrees of freedom that the curve counts for against a record's own variance, by side.
    """

    at: dict[str, Scores]
    curve: dict[str, Scores]
    common: dict[str, float]
    weight: dict[str, float]

    @classmethod
    def of(cls, sums: Sums) -> Spread:
        """Curves from all records; needs at least two models on each side of a record."""
        at, curve, common, weight = {}, {}, {}, {}
        for side in SIDES:
            mean = sums.mean(side)
            common[side] = sums.pooled_variance(side) + 1e-6 * float(mean.var()) + 1e-12
            at[side], groups = bins(mean)
            # Half-way to the common variance: where answers are steps, as those of trees, groups of records have no
            # variance at all, and a ratio that trusts this accuses at random.
            curve[side] = 0.5 * (means(sums.variance(side), groups, len(at[side])) + common[side])
            weight[side] = _weight(sums.variance(side) / curve[side][groups], getattr(sums, side)[0] - 1.0)
        return cls(at, curve, common, weight)

    def ratio(self, signal: Scores, sums: Sums) -> Scores:
        """Log-ratio of the two predictive likelihoods, shape ``(n,)``."""
        own = {side: sums.mean(side) for side in SIDES}
        noise = {side: self.common[side] / np.maximum(getattr(sums, side)[0], 1.0) for side in SIDES}
        out = _shrink(own["outside"], noise["outside"], np.full(len(signal), own["outside"].mean()))
        at, groups = bins(out[0])
        expected = np.interp(out[0], at, means(own["inside"], groups, len(at)))
        seen = _shrink(own["inside"], noise["inside"], expected)
        likelihood = [
            self._likelihood(side, signal, sums, *known) for side, known in zip(SIDES, (seen, out), strict=True)
        ]
        return np.asarray(likelihood[0] - likelihood[1])

    def _likelihood(self, side: str, signal: Scores, sums: Sums, mean: Scores, unsure: Scores) -> Scores:
        """Logarithm of the predictive density: Student's t with the prior's and the record's own degrees of freedom."""
        usual, own = np.interp(mean, self.at[side], self.curve[side]), np.maximum(getattr(sums, side)[0] - 1.0, 0.0)
        degrees = self.weight[side] + own
        variance = (self.weight[side] * usual + own * sums.variance(side)) / degrees + unsure
        return log_student(signal, mean, variance, degrees)


def log_student(value: Scores, mean: Scores, variance: Scores, degrees: Scores) -> Scores:
    """Logarithm of the density of Student's t with this location, squared scale and degrees of freedom."""
    from scipy.special import gammaln

    level = gammaln((degrees + 1) / 2) - gammaln(degrees / 2) - 0.5 * np.log(np.pi * degrees * variance)
    return np.asarray(level - (degrees + 1) / 2 * np.log1p((value - mean) ** 2 / (degrees * variance)))


def _weight(ratio: Scores, degrees: Scores) -> float:
    """Degrees of freedom of the prior of variances, from their ratios to the curve (Smyth 2004, section 6.2).

    The less the logarithms of the ratios vary beyond what chance explains, the more the curve is trusted.
    """
    from scipy.special import digamma, polygamma

    own = np.maximum(degrees, 1.0) / 2
    logs = np.log(np.maximum(ratio, 1e-12)) - digamma(own) + np.log(own)
    beyond = float(logs.var() - polygamma(1, own).mean())
    if polygamma(1, TRUSTED / 2) >= beyond:
        return TRUSTED
    low, high = LEAST, TRUSTED
    for _ in range(40):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if polygamma(1, middle / 2) > beyond else (low, middle)
    return low


def _shrink(own: Scores, noise: Scores, expected: Scores) -> tuple[Scores, Scores]:
    """Posterior mean and variance: each record's own mean drawn towards what is expected of records like it."""
    around = max(float(((own - expected) ** 2 - noise).mean()), 1e-3 * float(noise.mean()), 1e-12)
    weight = around / (around + noise)
    return expected + weight * (own - expected), weight * noise
