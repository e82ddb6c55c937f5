"""A hard number of answered rows."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from keepmum.data import Records
from keepmum.defenses._base import OutputDefense, is_whole
from keepmum.errors import BudgetError, ConfigError, NotApplicableError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget, Target

Clock = Callable[[], float]


class Purse:
    """Rows that may still be answered within a period, by a strict moving window.

    Args:
      rows: Rows in any period.
      period: Seconds.
      clock: Seconds that never go back.
    """

    def __init__(self, rows: int, period: float, clock: Clock = time.monotonic) -> None:
        self.rows, self.period, self.clock = rows, period, clock
        self._spent: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Rows that would be answered now."""
        with self._lock:
            return self._left(self.clock())

    def take(self, rows: int) -> None:
        """Pay for a batch, or refuse it whole.

        Raises:
          BudgetError: It does not fit.
        """
        with self._lock:
            now = self.clock()
            left = self._left(now)
            if rows > left:
                wait = self._spent[0][0] + self.period - now if self._spent else 0.0
                raise BudgetError(
                    f"the budget of {self.rows:,} rows in {self.period:g} s is spent: {left:,} are left, {rows:,} were "
                    f"asked for; more in {wait:.0f} s"
                )
            if rows:
                self._spent.append((now, rows))

    def _left(self, now: float) -> int:
        while self._spent and self._spent[0][0] + self.period <= now:
            self._spent.popleft()
        return self.rows - sum(rows for _, rows in self._spent)


class BudgetedScores(ScoreTarget):
    """`ScoreTarget` that answers so many rows."""

    def __init__(self, inner: ScoreTarget, purse: Purse, note: str) -> None:
        super().__init__(inner.classes)
        self.inner, self.purse, self.notes = inner, purse, [*inner.notes, note]

    @property
    def rows_left(self) -> int:
        """Rows that would be answered now."""
        return self.purse.left

    def _predict_proba(self, records: Records) -> Floats:
        self.purse.take(len(records))
        return self.inner.predict_proba(records)


class BudgetedLabels(LabelTarget):
    """`LabelTarget` that answers so many rows."""

    def __init__(self, inner: LabelTarget, purse: Purse, note: str) -> None:
        super().__init__(inner.classes)
        self.inner, self.purse, self.notes = inner, purse, [*inner.notes, note]

    @property
    def rows_left(self) -> int:
        """Rows that would be answered now."""
        return self.purse.left

    def _predict(self, records: Records) -> Indices:
        self.purse.take(len(records))
        return self.inner.predict(records)


class BudgetedValues(RegressionTarget):
    """`RegressionTarget` that answers so many rows."""

    def __init__(self, inner: RegressionTarget, purse: Purse, note: str) -> None:
        super().__init__()
        self.inner, self.purse, self.notes = inner, purse, [*inner.notes, note]

    @property
    def rows_left(self) -> int:
        """Rows that would be answered now."""
        return self.purse.left

    def _predict_value(self, records: Records) -> Floats:
        self.purse.take(len(records))
        return self.inner.predict_value(records)


@dataclass(frozen=True)
class QueryBudget(OutputDefense):
    """A hard number of answered rows for each client in any period, by a strict moving window.

    What counts is rows, not requests. A batch that does not fit is refused whole and costs nothing. Each target that is
    protected is one client. A budget stops searches that need many answers, such as inversion; an attacker who asks
    once about each record is stopped only by a budget below the number of records.

    Attributes:
      rows: Answered in a period, at least 1.
      period: Seconds.

    Raises:
      ConfigError: A number out of range.
    """

    id: ClassVar[str] = "output/query-budget"
    limited: ClassVar[bool] = True

    rows: int = 1000
    period: float = 86_400.0

    def __post_init__(self) -> None:
        if not is_whole(self.rows) or self.rows < 1 or not self.period > 0:
            raise ConfigError(f"expected at least 1 row and a period above 0, got {self.rows!r} and {self.period!r}")

    def answer(self, scores: Floats) -> Floats:
        """Answers as they are: the budget is kept by what `protect` returns."""
        return scores.copy()

    def protect(self, target: Target) -> Target:
        """The model for one client.

        Raises:
          NotApplicableError: It answers neither labels nor values.
        """
        purse, note = Purse(self.rows, self.period), f"at most {self.rows:,} rows are answered in {self.period:g} s"
        if isinstance(target, ScoreTarget):
            return BudgetedScores(target, purse, note)
        if isinstance(target, LabelTarget):
            return BudgetedLabels(target, purse, note)
        if isinstance(target, RegressionTarget):
            return BudgetedValues(target, purse, note)
        raise NotApplicableError(f"{self.id} needs a model that answers about records, got {target.access} access")
