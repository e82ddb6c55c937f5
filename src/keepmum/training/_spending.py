"""What private training may spend, as recipes of records and of texts say it alike."""

from __future__ import annotations

import math
from typing import Protocol

from keepmum.errors import ConfigError


class Spending(Protocol):
    """Settings that say it; see `keepmum.training.PrivateTrainer`."""

    @property
    def noise(self) -> float | None: ...
    @property
    def epsilon(self) -> float | None: ...
    @property
    def delta(self) -> float: ...
    @property
    def clip(self) -> float: ...
    @property
    def batch(self) -> int: ...


def check_spending(told: Spending) -> None:
    """Refuse settings that say nothing, or two things.

    Raises:
      ConfigError: Neither noise nor epsilon or both, or a number out of range.
    """
    if (told.noise is None) == (told.epsilon is None):
        raise ConfigError(f"expected either noise or epsilon, got {'neither' if told.noise is None else 'both'}")
    odd = [v for v in (told.noise, told.epsilon) if v is not None and not 0 <= v < math.inf]
    if odd or not told.clip > 0 or told.batch < 1 or not 0 < told.delta < 1 or told.epsilon == 0:
        raise ConfigError(
            f"expected noise of 0 or more or an epsilon above 0, clip above 0, a batch of at least 1 and a delta "
            f"between 0 and 1, got {told.noise}, {told.epsilon}, {told.clip}, {told.batch} and {told.delta}"
        )


def noise_of(told: Spending, rate: float, steps: int) -> float:
    """Noise multiplier: given, or the smallest that keeps to epsilon.

    Raises:
      ConfigError: No noise keeps to it.
      MissingExtraError: dp-accounting is not installed.
    """
    if told.noise is not None:
        return told.noise
    from keepmum.accounting import noise_for

    assert told.epsilon is not None
    return noise_for(told.epsilon, told.delta, rate, steps)
