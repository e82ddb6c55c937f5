"""Membership attacks that ask about more than the record itself."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeVar

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack
from keepmum.attacks.membership._measure import FEWEST
from keepmum.errors import NotApplicableError
from keepmum.targets._base import LabelTarget, Target

L = TypeVar("L", bound=LabelTarget)


@dataclass(frozen=True)
class QueryAttack(MembershipAttack[L]):
    """An attacker who asks about many records for each one: modified copies of it, steps on a path from it.

    It is played on as many people, drawn at random, as the rows that may be asked about allow.

    Attributes:
      rows: Most rows that are asked about in all.
    """

    rows: int = 60_000

    @property
    @abstractmethod
    def per_record(self) -> int:
        """Most rows that are asked about for one record."""

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if getattr(target, "inner", target).recorded:
            return "needs the model itself: recorded answers know only the recorded records"
        return super().inapplicable(target)

    def planned(self, people: int, left: int | None = None) -> int:
        """Rows that will be asked about, when the pool holds so many people and so many rows may be asked about."""
        rows = self.rows if left is None else min(self.rows, left)
        return min(people, rows // self.per_record) * self.per_record

    def _most(self, ctx: Context) -> int:
        rows = self.rows if ctx.queries_left is None else min(self.rows, ctx.queries_left)
        people = rows // self.per_record
        if people < 4 * FEWEST:
            raise NotApplicableError(
                f"needs {self.per_record} queries a record for at least {4 * FEWEST} records; {rows:,} may be spent"
            )
        return people
