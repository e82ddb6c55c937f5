"""How fast, how long and for how much money a served model is asked."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from keepmum.errors import BudgetError, ConfigError


@dataclass(frozen=True)
class Quota:
    """What asking a served model may cost.

    Attributes:
      per_minute: Requests a minute at most, tries that failed included; None for as many as it takes.
      max_queries: Requests that may be answered in all. What a cassette holds counts, so that a resumed run does not
        begin anew.
      max_cost: What the answers may cost in all, in the currency of `price`. It is never passed: before a request is
        sent, the most that it can cost is set aside.
      price: Price of 1,000 tokens that are read, and of 1,000 tokens that are written.
      concurrency: Requests under way at once.
      timeout: Seconds until a request that is not answered is given up.
      retries: How often a request is sent again after 429, 502, 503, 504 or a lost connection; after 500 twice at most.
      patience: Seconds that a server may ask to wait before the run is given up.

    Raises:
      ConfigError: A value out of range, or a cost without a price.
    """

    per_minute: float | None = None
    max_queries: int | None = None
    max_cost: float | None = None
    price: tuple[float, float] = (0.0, 0.0)
    concurrency: int = 4
    timeout: float = 60.0
    retries: int = 6
    patience: float = 600.0

    def __post_init__(self) -> None:
        caps = (self.per_minute, self.max_queries, self.max_cost)
        if any(cap is not None and not cap > 0 for cap in caps):
            raise ConfigError(f"expected per_minute, max_queries and max_cost above 0 or None, got {caps}")
        if self.concurrency < 1 or self.retries < 0 or not self.timeout > 0 or not self.patience >= 0:
            raise ConfigError(
                "expected a concurrency of at least 1, retries and patience of at least 0 and a timeout above 0, got "
                f"{self.concurrency}, {self.retries}, {self.patience} and {self.timeout}"
            )
        if min(self.price) < 0 or (self.max_cost is not None and max(self.price) <= 0):
            raise ConfigError(f"expected the price of 1,000 tokens read and written beside max_cost, got {self.price}")

    def cost(self, read: float, written: float) -> float:
        """Price of so many tokens."""
        return (read * self.price[0] + written * self.price[1]) / 1000


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class WallClock:
    """The time that passes."""

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Meter:
    """Keeps count and pace for all threads that ask one server.

    Args:
      quota: What is allowed.
      clock: Tells the time and waits.
      rng: Jitter of the waits; nothing that is answered depends on it.
    """

    def __init__(self, quota: Quota, clock: Clock, rng: np.random.Generator) -> None:
        self.quota, self._clock, self._rng = quota, clock, rng
        self._lock = threading.Lock()
        self._free = 0.0  # when the next request may be sent, by the pace
        self._held = 0.0  # when the next request may be sent, by what the server said
        self.answered = 0
        self.cost = 0.0
        self._pending: list[float] = []

    def count(self, read: int, written: int) -> None:
        """An answer that was paid for: tokens read and tokens written."""
        self.answered += 1
        self.cost += self.quota.cost(read, written)

    def reserve(self, most: tuple[int, int]) -> float:
        """Set aside the most that a request can cost: tokens read and tokens written.

        Raises:
          BudgetError: There is not so much left.
        """
        bound = self.quota.cost(*most)
        with self._lock:
            cap = self.quota.max_queries
            if cap is not None and self.answered + len(self._pending) >= cap:
                raise BudgetError(
                    f"the {cap} requests of max_queries are spent; answers so far are kept: raise it to go on"
                )
            limit = self.quota.max_cost
            if limit is not None and self.cost + sum(self._pending) + bound > limit:
                raise BudgetError(
                    f"another request could cost {bound:.4g} and {self.cost:.4g} of max_cost {limit:g} are spent; "
                    "answers so far are kept: raise it to go on"
                )
            self._pending.append(bound)
        return bound

    def settle(self, bound: float, used: tuple[int, int] | None) -> None:
        """Replace what was set aside by the tokens that were used; None for a request that was not answered."""
        with self._lock:
            self._pending.remove(bound)
            if used is not None:
                self.count(*used)

    def pace(self) -> None:
        """Wait for one's turn."""
        with self._lock:
            now = self._clock.now()
            turn = max(now, self._free, self._held)
            if self.quota.per_minute is not None:
                self._free = turn + 60 / self.quota.per_minute
        if turn > now:
            self._clock.sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        with self._lock:
            self._held = max(self._held, self._clock.now() + seconds)

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after so many failures: doubled each time, a minute at most, less up to half at random."""
        with self._lock:
            return float(min(60.0, 2.0**attempt) * (1 - self._rng.random() / 2))
