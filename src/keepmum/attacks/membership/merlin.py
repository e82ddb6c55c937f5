"""Membership inference from noisy copies of the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._query import QueryAttack
from keepmum.data import Records
from keepmum.shadows import scaled_logit
from keepmum.targets._base import ScoreTarget

SAME = 1e-9
"""Relative difference below which two answers count as equal: sums in another order differ by less."""


@dataclass(frozen=True)
class Merlin(QueryAttack[ScoreTarget]):
    """Merlin: measuring relative loss in the neighborhood.

    Training puts the members near a local minimum of the loss, so a little noise makes it larger; around anybody else
    it becomes larger or smaller alike. The attacker counts how often it becomes larger.

    Attributes:
      copies: Noisy copies of each record.
      scale: Standard deviation of the noise, in units of each column's; see the reference of attacks for what is no
        number. The paper has 0.01; trees and whole numbers take no notice of so little.

    References:
      Jayaraman, Wang, Knipmeyer, Gu, Evans. Revisiting Membership Inference Under Realistic Assumptions. PoPETs 2021,
      arXiv:2005.10881, the Merlin attack.
    """

    id: ClassVar[str] = "membership/merlin"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2005.10881",)

    copies: int = 16
    scale: float = 0.1

    @property
    def per_record(self) -> int:
        """The record and its copies."""
        return 1 + self.copies

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Share of the copies with a larger loss than the record's own, ties half."""
        return larger_around(target, records, ctx.rng, self.copies, self.scale)[1]


def larger_around(
    target: ScoreTarget, records: Records, rng: np.random.Generator, copies: int, scale: float
) -> tuple[Scores, Scores]:
    """Scaled logit of each record, and the share of its noisy copies with a smaller one, ties half; ``(n,)`` each.

    The scaled logit falls as the loss grows, and keeps apart losses that were rounded to 0.
    """
    around, own = neighbors(records), scaled_logit(target, records)
    larger = np.zeros(len(records))
    for _ in range(copies):
        step = own - scaled_logit(target, around.noisy(rng, scale))
        alike = np.abs(step) <= SAME * (1 + np.abs(own))
        larger += np.where(alike, 0.5, step > 0)
    return own, larger / copies
