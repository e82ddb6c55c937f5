"""Membership inference by the likelihood ratio of two normal distributions for each record."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack, log_normal
from keepmum.errors import NotApplicableError
from keepmum.shadows import Shadows, Sums

PER_RECORD = 64
"""Shadow models from which on each record has variances of its own."""
SMALLEST = 1e-6
"""Smallest variance, as a share of the variance of all signals."""


class Variance(Enum):
    """Whose variance a record's signal is given, on each side, over the models with and without it."""

    AUTOMATIC = "automatic"
    """`PER_RECORD` from 64 shadow models up, below that `FIXED`."""
    PER_RECORD = "per-record"
    """The record's own, unbiased."""
    PER_CLASS = "per-class"
    """One for all records with its label: squares around each record's own mean, pooled."""
    FIXED = "fixed"
    """One for all records, pooled likewise."""


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

    variance: Variance = Variance.AUTOMATIC

    @classmethod
    def variants(cls) -> tuple[Lira, ...]:
        """One for each choice of variances."""
        return tuple(cls(rule) for rule in Variance if rule is not Variance.AUTOMATIC)

    @property
    def name(self) -> str:
        """Id, with the choice of variances where one was made: ``:fixed-variance``."""
        return variant(self.id, self.variance)

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """``log N(s; mean in, variance in) - log N(s; mean out, variance out)``."""
        sums, likelihood = shadows.sums, {}
        for side in ("inside", "outside"):
            variance = variances(shadows, side, self.variance)
            likelihood[side] = log_normal(signal, sums.mean(side), variance)
        return likelihood["inside"] - likelihood["outside"]


def variant(attack: str, variance: Variance) -> str:
    """Name of an attack with this choice of variances."""
    return attack if variance is Variance.AUTOMATIC else f"{attack}:{variance.value}-variance"


def variances(shadows: Shadows, side: str, rule: Variance = Variance.AUTOMATIC) -> Scores | float:
    """Variance of the signal over the models of a side, for each record ``(n,)``, or one for all.

    Raises:
      NotApplicableError: Variances by class, and the labels are not known.
    """
    sums = shadows.sums
    total = sums.inside + sums.outside
    floor = max(1e-12, SMALLEST * float((total[2].sum() - total[1].sum() ** 2 / total[0].sum()) / total[0].sum()))
    if rule is Variance.AUTOMATIC:
        rule = Variance.PER_RECORD if len(shadows) >= PER_RECORD else Variance.FIXED
    if rule is Variance.PER_RECORD:
        return np.maximum(sums.variance(side), floor)
    if rule is Variance.FIXED:
        return max(sums.pooled_variance(side), floor)
    if shadows.labels is None:
        raise NotApplicableError("needs the records' labels for variances by class: these shadow models came without")
    return np.maximum(_by_class(sums, side, np.unique(shadows.labels.astype(str), return_inverse=True)[1]), floor)


def _by_class(sums: Sums, side: str, group: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> Scores:
    """Squares around each record's own mean, over their degrees of freedom, within the record's class."""
    freedom = np.maximum(getattr(sums, side)[0] - 1.0, 0.0)
    squares = np.bincount(group, sums.variance(side) * freedom)
    return np.asarray((squares / np.maximum(np.bincount(group, freedom), 1.0))[group])
