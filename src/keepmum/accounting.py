"""How much privacy noisy sums spend: epsilon of Poisson-sampled Gaussian sums, and the noise that an epsilon asks for.

The numbers come from Google's ``dp-accounting``: privacy loss distributions (upper bounds, tight), and Rényi
differential privacy (looser, told beside). The central limit theorem is not offered: it understates epsilon by up to
15 %.
Adjacency everywhere: one record is added or removed.

References:
  Koskela, Jälkö, Honkela. AISTATS 2020, arXiv:1906.03049; Doroshenko, Ghazi, Kamath, Kumar, Manurangsi. Connect the
  Dots. PoPETs 2022, arXiv:2207.04380; Mironov, Talwar, Zhang. arXiv:1908.10530 (Rényi).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from keepmum.errors import ConfigError, MissingExtraError

PLD = "privacy loss distributions"
RDP = "Rényi differential privacy"
LARGEST_NOISE = 1e4
"""No larger noise multiplier is looked for."""


def sampled_epsilon(noise: float, rate: float, steps: int, delta: float, accountant: str = PLD) -> float:
    """Epsilon of noisy sums, each of records that are drawn independently of each other.

    Args:
      noise: Noise multiplier: standard deviation of the noise over the largest norm of a record's part.
      rate: Probability with which each record is in a sum, above 0, at most 1.
      steps: Sums, at least 1.
      delta: Of the statement, between 0 and 1.
      accountant: `PLD` or `RDP`.

    Returns:
      An upper bound; infinite where there is no noise.

    Raises:
      ConfigError: A number out of range.
      MissingExtraError: dp-accounting is not installed.
    """
    check(rate, steps, delta)
    if noise < 0:
        raise ConfigError(f"expected a noise multiplier of 0 or more, got {noise}")
    if noise == 0:
        return math.inf
    return _epsilon(float(noise), float(rate), int(steps), float(delta), accountant)


def gaussian_epsilon(noise: float, releases: int, delta: float) -> float:
    """Epsilon of so many Gaussian releases of everyone; see `sampled_epsilon`."""
    return sampled_epsilon(noise, 1.0, releases, delta)


def noise_for(epsilon: float, delta: float, rate: float, steps: int) -> float:
    """Smallest noise multiplier, to three decimals, with which so many sums spend no more than an epsilon.

    Raises:
      ConfigError: A number out of range, or an epsilon that no noise up to 10,000 reaches.
      MissingExtraError: dp-accounting is not installed.
    """
    check(rate, steps, delta)
    if not epsilon > 0:
        raise ConfigError(f"expected an epsilon above 0, got {epsilon}")
    low, high = 0.0, 1.0
    while sampled_epsilon(high, rate, steps, delta) > epsilon:
        low, high = high, 2 * high
        if high > LARGEST_NOISE:
            raise ConfigError(f"no noise reaches epsilon {epsilon} in {steps} steps: take fewer, or a larger epsilon")
    while high - low > 5e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if sampled_epsilon(middle, rate, steps, delta) <= epsilon else (middle, high)
    return math.ceil(high * 1000) / 1000


def most_found(epsilon: float, delta: float, fpr: float) -> float:
    """Most members that any attack finds at a rate of false alarms, if training is (epsilon, delta)-private: a share.

    References:
      Kairouz, Oh, Viswanath. ICML 2015, arXiv:1311.0776.
    """
    return min(1.0, math.exp(min(epsilon, 700.0)) * fpr + delta, 1 - math.exp(-epsilon) * (1 - delta - fpr))


def version() -> str:
    """Name and version of what accounts.

    Raises:
      MissingExtraError: dp-accounting is not installed.
    """
    from importlib.metadata import version as of

    _library()
    return f"dp-accounting {of('dp-accounting')}"


def check(rate: float, steps: int, delta: float) -> None:
    """Refuse what no sum can have.

    Raises:
      ConfigError: A rate, a number of steps or a delta out of range.
    """
    if not 0 < rate <= 1 or steps < 1 or not 0 < delta < 1:
        raise ConfigError(
            f"expected a rate above 0 and at most 1, at least 1 step and a delta between 0 and 1, got {rate}, {steps} "
            f"and {delta}"
        )


@lru_cache(4096)
def _epsilon(noise: float, rate: float, steps: int, delta: float, accountant: str) -> float:
    library = _library()
    event: Any = library.GaussianDpEvent(noise)
    if rate < 1:
        event = library.PoissonSampledDpEvent(rate, event)
    if accountant == PLD:
        made = library.pld.PLDAccountant()
    elif accountant == RDP:
        made = library.rdp.RdpAccountant()
    else:
        raise ConfigError(f"expected the accountant {PLD!r} or {RDP!r}, got {accountant!r}")
    with _quiet():
        return float(made.compose(library.SelfComposedDpEvent(event, steps)).get_epsilon(delta))


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's warnings of orders that it leaves out of a minimum, which stays an upper bound."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _library() -> Any:
    try:
        import dp_accounting
        from dp_accounting import pld, rdp  # noqa: F401  attributes of the package once they are imported
    except ImportError as err:
        raise MissingExtraError("dp-accounting", "dp") from err
    return dp_accounting
