"""Who is asked about: people as they are, and canaries, which a defense protects worst."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records, Split
from keepmum.errors import DataError
from keepmum.overlap import remove_overlap
from keepmum.targets._base import ScoreTarget
from keepmum.training import Around, Trainer

MOST = 300
"""Canaries, unless told otherwise."""
SHARE = 0.15
"""Of the records, at most, become canaries."""
FEWEST = 20
"""People of whom half, the strangers to a model, resolve one false alarm in ten."""


def is_whole(value: object) -> bool:
    """Whether a setting is a whole number, numpy's among them."""
    return isinstance(value, Integral) and not isinstance(value, bool)


@dataclass(frozen=True, eq=False)
class World:
    """The records that models are trained on halves of.

    Attributes:
      records: ``(n,)`` people, then canaries: people whose label was replaced by another, drawn at random.
      people: How many are as they were.
    """

    records: Records
    people: int

    @property
    def canaries(self) -> NDArray[np.intp]:
        """Places of the canaries."""
        return np.arange(self.people, len(self.records))


def world_of(split: Split, canaries: int | None, seed: int) -> World:
    """Members and non-members together, copies taken out, some of them mislabelled.

    Raises:
      DataError: Fewer than two classes, or too few records.
    """
    clean = remove_overlap(split)[0].pool
    classes = np.unique(clean.y)
    if len(classes) < 2 or len(clean) < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} different records of two classes, got {len(clean)} of {len(classes)}: give "
            "more"
        )
    count = min(MOST, int(SHARE * len(clean))) if canaries is None else canaries
    if not is_whole(count) or not 2 <= count <= len(clean) // 2:
        raise DataError(f"expected 2 … {len(clean) // 2} canaries among {len(clean)} records, got {count!r}")
    if len(clean) - count < FEWEST:
        raise DataError(
            f"expected at least {FEWEST} people beside the canaries, got {len(clean) - count} beside {count}: give "
            "more records, or fewer canaries"
        )
    rng = np.random.default_rng([seed, 0x63616E61])
    order = rng.permutation(len(clean))
    people, chosen = clean.take(np.sort(order[count:])), clean.take(np.sort(order[:count]))
    others = np.searchsorted(classes, chosen.y)
    wrong = classes[(others + rng.integers(1, len(classes), count)) % len(classes)]
    records = people.join(Records(chosen.X, wrong.astype(chosen.y.dtype), chosen.ids))
    return World(Records(records.X, records.y, np.arange(len(records))), len(people))


class Duplicated(Around):
    """A recipe whose models see some records twice, where they see them at all.

    Where records are trained on apart from each other, as in split learning, a copy is what gives a record away.

    Args:
      inner: The recipe.
      canaries: Places of the records that stand twice.
    """

    def __init__(self, inner: Trainer, canaries: NDArray[np.intp]) -> None:
        self.inner, self.canaries = inner, canaries

    @property
    def key(self) -> str:
        """The recipe's, and which records stand twice."""
        return f"{self.inner.key} with {len(self.canaries)} records from {self.canaries[0]} on twice"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model on the records as they come: whoever stands twice is known in a fleet alone."""
        return self.inner.train(records, seed)

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models; a canary's copy is in the same models as the canary."""
        twice = records.join(records.take(self.canaries))
        masks = np.concatenate([trained_on, trained_on[:, self.canaries]], axis=1)
        yield from self.inner.train_fleet(twice, masks, seeds)
