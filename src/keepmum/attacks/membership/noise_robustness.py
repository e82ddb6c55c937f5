"""Membership inference from labels alone: how much noise the right answer withstands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._query import QueryAttack
from keepmum.data import Records
from keepmum.targets._base import LabelTarget


@dataclass(frozen=True)
class NoiseRobustness(QueryAttack[LabelTarget]):
    """Noise-robustness attack.

    Training pushes the decision boundary away from the members. Whoever is still answered rightly under much noise is
    far from it, and no more than labels is needed to see that.

    Attributes:
      copies: Noisy copies of each record at each scale.
      scales: Standard deviations of the noise, in units of each column's; categories are replaced at this rate.

    References:
      Choquette-Choo, Tramèr, Carlini, Papernot. Label-Only Membership Inference Attacks. ICML 2021, arXiv:2007.14321,
      on robustness to random noise.
    """

    id: ClassVar[str] = "membership/noise-robustness"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2007.14321",)

    copies: int = 5
    scales: tuple[float, ...] = (0.05, 0.1, 0.3)

    @property
    def per_record(self) -> int:
        """The record and its copies."""
        return 1 + self.copies * len(self.scales)

    def score(self, target: LabelTarget, records: Records, ctx: Context) -> Scores:
        """Share of the record and its copies that get the record's own label."""
        around, label = neighbors(records), target.positions(records.y)
        right = (target.predict(records) == label).astype(np.float64)
        for scale in self.scales:
            for _ in range(self.copies):
                right += target.predict(around.noisy(ctx.rng, scale)) == label
        return np.asarray(right / self.per_record)
