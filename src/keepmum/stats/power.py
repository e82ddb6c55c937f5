"""What a sample of a given size can show at all."""

from __future__ import annotations

import math

from keepmum.errors import ConfigError


def needed_nonmembers(fpr: float) -> int:
    """Non-members needed before a false positive rate can be spoken of.

    No false alarm among n bounds the rate by about 3 / n (the rule of three, 95 %), so n must be at least
    ``ln(0.05) / ln(1 - fpr)``, rounded up to ``3 / fpr``.

    Raises:
      ConfigError: A rate out of range.
    """
    if not 0 < fpr < 1:
        raise ConfigError(f"expected a false positive rate between 0 and 1, as in 0.01, got {fpr}")
    return math.ceil(3 / fpr - 1e-9)


def resolvable_fpr(nonmembers: int) -> float:
    """Smallest false positive rate that this many non-members can resolve."""
    return min(1.0, 3 / nonmembers)


def detectable_auc(members: int, nonmembers: int, error: float = 0.05, power: float = 0.8) -> float:
    """Smallest area under the ROC curve that a one-sided rank test of this size finds with probability ``power``.

    The variance is that of continuous scores without leak; with ties less suffices. Divide ``error`` by the number of
    looks to pay for them.

    References:
      Noether. JASA 82 (1987), 645–647.
    """
    from keepmum.stats.intervals import normal_quantile

    needed = normal_quantile(1 - error) + normal_quantile(power)
    share = members / (members + nonmembers)
    spread = math.sqrt(1 / (12 * (members + nonmembers) * share * (1 - share)))
    return min(1.0, 0.5 + needed * spread)
