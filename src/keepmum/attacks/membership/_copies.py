"""Membership attacks that ask about noisy copies of the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._query import QueryAttack
from keepmum.data import Records
from keepmum.shadows import scaled_logit
from keepmum.targets._base import LabelTarget, ScoreTarget

L = TypeVar("L", bound=LabelTarget)

SAME = 1e-9
"""Relative difference below which two answers count as equal: sums in another order differ by less."""


@dataclass(frozen=True)
class CopiesAttack(QueryAttack[L]):
    """An attacker who asks about each record and noisy copies of it.

    Attributes:
      copies: Noisy copies of each record.
      scale: Standard deviation of the noise, in units of each column's; see the reference of attacks for what is no
        number.
    """

    copies: int = 16
    scale: float = 0.1

    @property
    def per_record(self) -> int:
        """The record and its copies."""
        return 1 + self.copies


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
