"""Membership inference from augmented copies of the record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._copies import CopiesAttack
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._table import Images
from keepmum.data import Records
from keepmum.shadows import scaled_logit
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Augmentation(CopiesAttack[ScoreTarget]):
    """Augmentation attack.

    A model that was trained on augmented copies of a record knows the copies too, and the margins of all of them
    together tell more than that of the record alone. Images are shifted and mirrored; other records get a little
    noise.

    Attributes:
      copies: Augmented copies of each record.
      scale: Standard deviation of the noise for records that are no images, in units of each column's.

    References:
      Carlini, Chien, Nasr, Song, Terzis, Tramèr. S&P 2022, arXiv:2112.03570, on queries with augmentations;
      Choquette-Choo, Tramèr, Carlini, Papernot. ICML 2021, arXiv:2007.14321, for labels.
    """

    id: ClassVar[str] = "membership/augmentation"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2112.03570", "arXiv:2007.14321")

    copies: int = 9
    scale: float = 0.01

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Mean of the scaled logits of the record and its copies."""
        total = scaled_logit(target, records)
        for copy in copies_of(records, self.copies, self.scale, ctx.rng):
            total = total + scaled_logit(target, copy)
        return np.asarray(total / self.per_record)


def copies_of(records: Records, copies: int, scale: float, rng: np.random.Generator) -> Iterator[Records]:
    """So many augmented copies of all records: the mirrored image, then shifts; for others noise."""
    around = neighbors(records)
    for turn in range(copies):
        if not isinstance(around, Images):
            yield around.noisy(rng, scale)
        else:
            yield around.flipped() if turn == 0 else around.changed(rng, turn - 1)
