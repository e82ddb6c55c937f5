"""Membership inference from labels alone: how far away another answer is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._query import QueryAttack
from keepmum.attacks.membership._table import Table
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.targets._base import LabelTarget

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

ENDS = 2_000
"""People at most among whom the nearest with another answer are looked for."""
KEPT = 0.7
"""Share of the columns that stay as they are when others are put back."""


@dataclass(frozen=True)
class BoundaryDistance(QueryAttack[LabelTarget]):
    """Decision-boundary distance.

    Training pushes the decision boundary away from the members. The attacker walks from each record to the nearest
    people whose answers differ, halves the way until the answer just changes, and puts columns back as long as it
    stays changed: what is left is how far away another answer is. Whoever is answered wrongly is on the wrong side,
    and counts by how far away the right answer is.

    The papers descend by estimated gradients (HopSkipJump) with thousands of queries a record; this search takes a few
    dozen, and works on columns of any kind. A column that is no number counts as one standard deviation.

    Attributes:
      queries: Rows that are asked about for each record, the record itself included.
      ends: Directions that are tried: people nearest to the record among those with another answer.
      halvings: Times that the way to each is halved.

    References:
      Choquette-Choo, Tramèr, Carlini, Papernot. ICML 2021, arXiv:2007.14321, on the decision boundary's distance;
      Li, Zhang. Membership Leakage in Label-Only Exposures. CCS 2021, arXiv:2007.15528, the boundary attack.
    """

    id: ClassVar[str] = "membership/boundary-distance"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2007.14321", "arXiv:2007.15528")

    queries: int = 32
    ends: int = 3
    halvings: int = 4

    @property
    def per_record(self) -> int:
        """Rows that are asked about for one record."""
        return self.queries

    def score(self, target: LabelTarget, records: Records, ctx: Context) -> Scores:
        """Distance to the other answer, negative for records that are answered wrongly.

        Raises:
          NotApplicableError: Records without columns to walk along, or all answered alike.
        """
        around, label = neighbors(records), target.positions(records.y)
        if not isinstance(around, Table):
            raise NotApplicableError("needs records with columns to walk along, got texts or a sparse matrix")
        said = target.predict(records)
        search = _Search(target, around, label, said == label)
        left = self.queries - 1
        for ends in nearest(around, said, label, self.ends, ctx.rng):
            left -= search.walk(ends, min(self.halvings, left))
        for _ in range(left):
            search.put_back(ctx.rng)
        found = np.isfinite(search.distance)
        farthest = search.distance.max(initial=1.0, where=found)  # nobody is answered otherwise: at least so far away
        return np.where(search.right, 1.0, -1.0) * np.where(found, search.distance, farthest)


class _Search:
    """The shortest way to the other answer that was found for each record."""

    def __init__(self, target: LabelTarget, around: Table, label: Indices, right: NDArray[np.bool_]) -> None:
        self.target, self.around, self.label, self.right = target, around, label, right
        n, d = around.values.shape
        self.ends, self.share = np.arange(n), np.zeros((n, d))
        self.distance = np.full(n, np.inf)

    def changed(self, ends: Indices, share: Floats) -> NDArray[np.bool_]:
        """Whether the answer on the way is right where the record's is not, or wrong where the record's is right."""
        said = self.target.predict(self.around.toward(ends, share))
        return np.asarray((said == self.label) != self.right)

    def walk(self, ends: Indices, halvings: int) -> int:
        """Halve the ways to these people, and keep those that are shorter; the rows spent on each record."""
        low, high = np.zeros(len(ends)), np.ones(len(ends))
        for _ in range(halvings):
            middle = (low + high) / 2
            beyond = self.changed(ends, np.broadcast_to(middle[:, None], self.share.shape))
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        self._keep(ends, np.broadcast_to(high[:, None], self.share.shape), ends != np.arange(len(ends)))
        return halvings

    def put_back(self, rng: np.random.Generator) -> None:
        """Put some columns back, or all of them a little, where the answer stays changed."""
        shape = self.share.shape
        some = rng.random(shape) < KEPT
        shrink = np.where(rng.random((shape[0], 1)) < 0.5, np.where(some, 1.0, 0.0), 0.9)
        shorter = self.share * shrink
        self._keep(self.ends, shorter, self.changed(self.ends, shorter))

    def _keep(self, ends: Indices, share: Floats, found: NDArray[np.bool_]) -> None:
        distance = np.where(found, length(self.around, ends, share), np.inf)
        closer = distance < self.distance
        self.distance = np.where(closer, distance, self.distance)
        self.ends = np.where(closer, ends, self.ends)
        self.share = np.where(closer[:, None], share, self.share)


def length(around: Table, ends: Indices, share: Floats) -> Floats:
    """Length of a way, ``(n,)``: numbers in standard deviations, everything else 1 where it has changed."""
    apart = np.abs(around.values[ends] - around.values)
    swapped = (share >= 0.5) & (apart != 0)
    steps = np.where(around.numeric & ~np.isnan(apart), share * apart / around.spread, swapped)
    return np.asarray(np.sqrt((steps**2).sum(axis=1)))


def nearest(
    around: Table, said: Indices, label: Indices, ends: int, rng: np.random.Generator
) -> list[NDArray[np.intp]]:
    """For each record the nearest people whose answer lies on the other side, ``ends`` arrays of ``(n,)`` positions.

    The other side is any label but the record's own if the record is answered rightly, else its own label. A record for
    which there is nobody gets its own position.
    """
    n = len(said)
    some = rng.permutation(n)[:ENDS]
    numbers = np.nan_to_num(around.values[:, around.numeric] / around.spread[around.numeric])
    codes = np.nan_to_num(around.values[:, ~around.numeric], nan=-1.0)
    chosen = np.empty((n, min(ends, len(some))), dtype=np.intp)
    for rows in np.array_split(np.arange(n), 1 + n // 1_000):
        apart = (numbers[some] ** 2).sum(axis=1) - 2 * numbers[rows] @ numbers[some].T
        for column in codes.T:
            apart += column[rows][:, None] != column[some]
        own = said[rows] == label[rows]
        other = (said[some] == label[rows][:, None]) != own[:, None]
        apart[~other] = np.inf
        closest = np.argpartition(apart, chosen.shape[1] - 1, axis=1)[:, : chosen.shape[1]]
        there = np.take_along_axis(other, closest, axis=1)
        chosen[rows] = np.where(there, some[closest], rows[:, None])
    return list(chosen.T)
