"""Membership attacks that ask about more than the record itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TypeVar

from keepmum.attacks.membership._base import MembershipAttack
from keepmum.choices import Effort
from keepmum.targets._base import Target

L = TypeVar("L", bound=Target)


@dataclass(frozen=True)
class QueryAttack(MembershipAttack[L]):
    """An attacker who asks about many records for each one: modified copies of it, steps on a path from it.

    It is played on as many people, drawn at random, as the rows that may be asked about allow.

    Attributes:
      rows: Most rows that are asked about in all; an audit takes the default for its effort's number.
    """

    rows: int = Effort.STANDARD.rows

    @property
    @abstractmethod
    def per_record(self) -> int:
        """Most rows that are asked about for one record."""

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if getattr(target, "inner", target).recorded:
            return "needs the model itself: recorded answers know only the recorded records"
        return super().inapplicable(target)

    def _affordable(self, left: int | None) -> int:
        return (self.rows if left is None else min(self.rows, left)) // self.per_record

    def paced(self, effort: Effort) -> QueryAttack[L]:
        """The same attack with as many rows as an audit of this effort grants, unless it has a number of its own."""
        return replace(self, rows=effort.rows) if self.rows == Effort.STANDARD.rows else self
