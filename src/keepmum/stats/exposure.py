"""How far a model favors a secret over all that could stand in its place."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]

NULL_BITS = 1 / math.log(2)
"""Mean exposure of a secret that the model does not know, among very many others: 1.44 bits."""
FEWEST = 30
"""Fewer references than this fit no distribution."""
MOST_SKEWED = 0.995
"""A skew-normal distribution is never more skewed than this."""
FINEST = 500
"""A fit need not be better than so many references could tell."""
DEPTH = 40.0
"""What is this much less likely than the likeliest, in nats, does not count to an integral."""


@dataclass(frozen=True, eq=False)
class Ranks:
    """Where secrets stand among others that were compared with them, the most likely first.

    Attributes:
      above: ``(n,)`` others that the model finds likelier.
      ties: ``(n,)`` others that it finds as likely.
      others: ``(n,)`` others in all, at least 1.

    Raises:
      DataError: Counts that do not add up.
    """

    above: Counts
    ties: Counts
    others: Counts

    def __post_init__(self) -> None:
        shapes = self.above.shape == self.ties.shape == self.others.shape
        if not shapes or (np.minimum(self.above, self.ties) < 0).any() or (self.others < 1).any():
            raise DataError("expected counts of 0 or more, and at least one other a secret, for every secret")
        if (self.above + self.ties > self.others).any():
            raise DataError("expected no more likelier and equal others than there are others")

    @property
    def ranks(self) -> Floats:
        """``(n,)`` ranks from 1; ties count half."""
        return 1 + self.above + self.ties / 2

    @property
    def bits(self) -> Floats:
        """``(n,)`` exposure, in bits: ``log2 |R| - log2 rank`` with the secret itself in ``R``; 0 to `caps`.

        Among all secrets there could be this is exposure; among a sample of them, of which ``caps`` is reached, it is
        at least that.

        References:
          Carlini, Liu, Erlingsson, Kos, Song. The Secret Sharer. USENIX Security 2019, arXiv:1802.08232, section 4.
        """
        return np.asarray(self.caps - np.log2(self.ranks))

    @property
    def caps(self) -> Floats:
        """``(n,)`` the largest exposure that so many others can show, ``log2(others + 1)``."""
        return np.asarray(np.log2(self.others + 1.0))

    @property
    def p_values(self) -> Floats:
        """``(n,)`` chances that a secret the model does not know ranks as high; ties count in full, against a finding.

        Never below ``1 / (others + 1)``.
        """
        return np.asarray((1 + self.above + self.ties) / (self.others + 1))

    def places(self, rng: np.random.Generator) -> Floats:
        """``(n,)`` ranks as numbers from 0 to 1, exactly uniform for secrets that the model does not know.

        The secret is put at random among its equals, and at random within its own place, so that neither a rounded
        answer nor a short list looks like a departure from the uniform distribution.
        """
        return np.asarray((self.above + rng.random(len(self.above)) * (self.ties + 1)) / (self.others + 1))


def rank_among(value: float, references: Floats) -> tuple[int, int]:
    """How many references are above a value, and how many equal it."""
    return int((references > value).sum()), int((references == value).sum())


def null_bits(others: int) -> float:
    """Mean exposure of a secret that the model does not know, among so many others; it nears `NULL_BITS` from below."""
    from scipy.special import gammaln

    total = others + 1
    return math.log2(total) - float(gammaln(total + 1)) / total / math.log(2)


def uniformity(places: Floats) -> float:
    """P-value of the Kolmogorov-Smirnov test that the twins' places are uniform, as they are if nobody cheats.

    A small one says that the comparison is not fair (other tokens, another way to draw, twins that stand in the data
    after all), so that no finding from it can be believed.
    """
    from scipy.stats import kstest

    return float(kstest(places, "uniform").pvalue)


def extrapolated_bits(values: Floats, references: Floats) -> Floats | None:
    """Exposure beyond what the references can show, by a skew-normal distribution fitted to their log-probabilities.

    It is fitted by its moments. This is an extrapolation: it says how far a secret stands out on the scale of the
    references, and holds as far as the distribution does.

    Args:
      values: ``(k,)`` log-probabilities of secrets that share these references.
      references: ``(n,)`` log-probabilities of the references.

    Returns:
      ``(k,)`` bits, at least 0; None where the distribution does not fit (distance of Kolmogorov and Smirnov), or
      where there are too few references.

    References:
      Carlini et al. USENIX Security 2019, arXiv:1802.08232, section 4; moments: Azzalini. Scandinavian Journal of
      Statistics 12 (1985), 171–178.
    """
    if len(references) < FEWEST or references.std() <= 1e-9 * max(1.0, float(np.abs(references).max())):
        return None
    place, scale, shape = skew_normal(references)
    ordered = (np.sort(references) - place) / scale
    above = np.exp(log_above(ordered, shape))
    steps = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(float((1 - above - steps[:-1]).max()), float((steps[1:] - 1 + above).max()))
    if distance > 1.36 / math.sqrt(min(len(ordered), FINEST)):
        return None
    return np.asarray(np.maximum(0.0, -log_above((values - place) / scale, shape) / math.log(2)))


def skew_normal(sample: Floats) -> tuple[float, float, float]:
    """Location, scale and shape of the skew-normal distribution with the sample's mean, variance and skewness."""
    mean, deviation = float(sample.mean()), float(sample.std())
    skew = float((((sample - mean) / deviation) ** 3).mean())
    skew = max(-MOST_SKEWED + 0.005, min(MOST_SKEWED - 0.005, skew))
    root = (2 * abs(skew) / (4 - math.pi)) ** (2 / 3)
    delta = math.copysign(math.sqrt(math.pi / 2 * root / (1 + root)), skew)
    scale = deviation / math.sqrt(1 - 2 * delta**2 / math.pi)
    return mean - scale * delta * math.sqrt(2 / math.pi), scale, delta / math.sqrt(1 - delta**2)


def log_above(z: Floats, shape: float) -> Floats:
    """Logarithm of the chance that a standard skew-normal number lies above each ``z``, right in the far tail too.

    The density is integrated on logarithms by the trapezoidal rule, from ``z`` to where nothing is left.
    """
    from scipy.special import log_ndtr, logsumexp

    bend = np.maximum(1.0, z * (1 + shape**2 * (shape * z < 0)))  # how fast the density falls, at the least
    width = np.where(z < 1, 10.0 - np.minimum(z, 1.0), (DEPTH + 2.0) / bend)
    steps = np.linspace(0.0, 1.0, 1001) ** 2  # finest where most of it lies
    at = z[:, None] + width[:, None] * steps
    density = math.log(2) - at**2 / 2 - math.log(2 * math.pi) / 2 + log_ndtr(shape * at)
    gaps = np.diff(steps)
    weights = np.r_[gaps / 2, 0.0] + np.r_[0.0, gaps / 2]
    return np.asarray(np.minimum(0.0, logsumexp(density, axis=1, b=weights * width[:, None])))
