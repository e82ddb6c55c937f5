"""The membership game: everything about it but the technique."""

from __future__ import annotations

import sys
from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context, Ledger
from keepmum.attacks.membership._measure import FEWEST, judge
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Finding
from keepmum.targets._base import LabelTarget, Target
from keepmum.targets.averaged import repeats_of

T = TypeVar("T", bound=Target)
L = TypeVar("L", bound=LabelTarget)
Scores = NDArray[np.float64]


@dataclass(frozen=True)
class MembershipAttack(Attack[T]):
    """Was this record trained on? Subclasses give one score a record; higher means more likely a member.

    Members and non-members reach `score` mixed in random order, and it is not told which is which.
    """

    uses_population: ClassVar[bool] = False
    _parts: ClassVar[int] = 2  # of the non-members, where there is no population and one stands in for it

    @abstractmethod
    def score(self, target: T, records: Records, ctx: Context) -> Scores:
        """Membership scores, shape ``(n,)``, finite, higher = more likely a member."""

    @final
    def run(self, target: T, data: Split, ctx: Context) -> Finding:
        """Score everyone, then measure: attack, baseline, control."""
        before = target.queries
        records, is_member, scores = self.scores(target, data, ctx)
        if records.ids is not None:
            ctx.ledger[self.name] = Ledger(records.ids, is_member, np.asarray(scores, dtype=np.float64))
        queries = (target.queries - before) * repeats_of(target)
        finding = judge(self, target, records, is_member, scores, ctx, queries)
        remark = ctx.remarks.get(self.name)
        return finding if remark is None else replace(finding, explanation=f"{finding.explanation} {remark}")

    @final
    def scores(self, target: T, data: Split, ctx: Context) -> tuple[Records, NDArray[np.bool_], Scores]:
        """The pool as the attack saw it, the truth, and the scores."""
        records, is_member = data.mixed(ctx.seed)
        most = self._most(ctx)
        if most < len(records):
            records, is_member = records.take(np.arange(most)), is_member[:most]
        if self._wants_population and data.population is not None:
            return records, is_member, self.score(target, records, replace(ctx, population=data.population))
        if self._wants_population:
            return records, is_member, self._crossed(target, records, is_member, ctx)
        return records, is_member, self.score(target, records, ctx)

    def planned(self, people: int, left: int | None = None) -> int:
        """Rows beyond the people's own that will be asked about, when there are so many and so many rows are left."""
        most = self._affordable(left)
        return min(people, most) * self.per_record if most >= 4 * FEWEST else 0

    def _affordable(self, left: int | None) -> int:
        """People that the attack can be played on with so many rows left."""
        return sys.maxsize if left is None or not self.per_record else left // self.per_record

    def too_dear(self, left: int | None = None) -> str | None:
        """Why so many rows left are too few for this attack, or None."""
        people = self._affordable(left)
        if people >= 4 * FEWEST:
            return None
        return (
            f"needs {self.per_record} queries a record for at least {4 * FEWEST} records; {people * self.per_record:,} "
            "may be spent"
        )

    def _most(self, ctx: Context) -> int:
        """People that the attack is played on at most; a random sample of them, if there are more.

        Raises:
          NotApplicableError: They would be too few.
        """
        reason = self.too_dear(ctx.queries_left)
        if reason is not None:
            raise NotApplicableError(reason)
        return self._affordable(ctx.queries_left)

    @property
    def _wants_population(self) -> bool:
        return self.uses_population

    def _crossed(self, target: T, records: Records, is_member: NDArray[np.bool_], ctx: Context) -> Scores:
        """Where the attacker has no data of their own: some non-members stand in for it, each part for the next.

        No record is compared with itself, so a member and a non-member fare alike unless the model tells. Two halves
        stand in for each other. That is no test of an attack that *learns* from them which way members differ: what
        chance makes of one half then counts twice, as of those asked about and as of those learned from. Three parts
        in a ring are never both to each other.
        """
        part = np.empty(len(records), dtype=np.intp)
        for side in (is_member, ~is_member):
            order = np.random.default_rng([ctx.seed, 0x666F6C64]).permutation(int(side.sum()))
            part[side] = order % self._parts
        scores = np.empty(len(records))
        for number in range(self._parts):
            reference = records.take((part == (number + 1) % self._parts) & ~is_member)
            chosen = part == number
            if not len(reference) or not chosen.any():
                scores[chosen] = 0.0
                continue
            scores[chosen] = self.score(target, records.take(chosen), replace(ctx, population=reference))
        return scores


@dataclass(frozen=True)
class SignalAttack(MembershipAttack[L]):
    """A membership attack on one statistic of the answer, with one threshold or one for each class.

    Attributes:
      per_class: Compare each record with the population of its own class: the score becomes the share of that
        class's population with a lower signal (Song and Mittal 2021, section 3; Ye et al. 2022, attack P).
    """

    per_class: bool = False

    @property
    def name(self) -> str:
        """Id, with ``:per-class`` for thresholds by class."""
        return f"{self.id}:per-class" if self.per_class else self.id

    @property
    def _wants_population(self) -> bool:
        return self.per_class

    @abstractmethod
    def signal(self, target: L, records: Records) -> Scores:
        """The statistic of each answer, shape ``(n,)``, higher = more like a member."""

    @final
    def score(self, target: L, records: Records, ctx: Context) -> Scores:
        """The signal, or its standing among the population of the record's class."""
        signal = self.signal(target, records)
        if not self.per_class or ctx.population is None:
            return signal
        reference = self.signal(target, ctx.population)
        return standing(
            signal, target.positions(records.y), reference, target.positions(ctx.population.y), len(target.classes)
        )


def standing(
    signal: Scores, group: NDArray[np.intp], reference: Scores, reference_group: NDArray[np.intp], groups: int
) -> Scores:
    """Share of the reference of the same group with a lower signal, ties half.

    Beyond the reference's largest and below its smallest value the raw signal decides, by less than one step. A
    group without reference is compared with the whole of it.
    """
    result = np.empty(len(signal))
    for k in range(groups):
        mine = group == k
        if not mine.any():
            continue
        others = np.sort(reference[reference_group == k])
        if not len(others):
            others = np.sort(reference)
        below = np.searchsorted(others, signal[mine], side="left")
        upto = np.searchsorted(others, signal[mine], side="right")
        result[mine] = (below + upto) / (2 * len(others))
    order = np.unique(signal, return_inverse=True)[1]
    step = 1.0 / (2 * max(1, len(reference)) * (order.max(initial=0) + 2))
    return np.asarray(result + step * order)
