"""More records, or other ones besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._students import digest_of, halves
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget
from keepmum.training import Around, Trainer


@dataclass(frozen=True)
class Extended(Around):
    """Trains on a share of the records and on others that are always there."""

    inner: Trainer
    extra: Records | None
    share: float

    @property
    def key(self) -> str:
        """The recipe's, the share and the other records."""
        return f"{self.share} of the records and {digest_of(self.extra)} for {self.inner.key}"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model."""
        everyone = np.ones((1, len(records)), dtype=bool)
        return next(iter(self.train_fleet(records, everyone, [seed])))

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models, together where the recipe can."""
        masks = trained_on.copy()
        if self.share < 1:
            for mask, seed in zip(masks, seeds, strict=True):
                rows = np.flatnonzero(mask)
                mask[rows[halves(records.take(rows), self.share, seed)[1]]] = False
        if self.extra is not None:
            records = Records(records.X, records.y).join(Records(self.extra.X, self.extra.y))
            masks = np.concatenate([masks, np.ones((len(masks), len(self.extra)), dtype=bool)], axis=1)
        yield from self.inner.train_fleet(records, masks, seeds)


@dataclass(frozen=True)
class MoreData(TrainingDefense):
    """More data, or more diverse data; or, to draw a learning curve, less.

    Further records are trained on besides everyone else. Who has none learns from a share below 1 what more would
    bring: the curve of leakage against size goes on.

    Attributes:
      share: Of the records that is trained on, above 0, at most 1.
      extra: Further records, which are always trained on.

    Raises:
      ConfigError: A share out of range, or neither a share below 1 nor further records.

    References:
      Shokri, Stronati, Song, Shmatikov. S&P 2017, arXiv:1610.05820, on the size of the training set.
    """

    id: ClassVar[str] = "training/more-data"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1610.05820",)

    share: float = 1.0
    extra: Records | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"expected a share above 0 and at most 1, got {self.share}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe on these records.

        Raises:
          ConfigError: Neither a share below 1 nor further records.
        """
        if self.extra is None and self.share == 1:
            raise ConfigError(f"{self.id}: give further records with extra=, or a share below 1")
        return Extended(trainer, self.extra, self.share)
