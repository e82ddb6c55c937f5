"""Membership inference from noisy copies of the record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._copies import CopiesAttack, larger_around
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Merlin(CopiesAttack[ScoreTarget]):
    """Merlin: measuring relative loss in the neighborhood.

    Training puts the members near a local minimum of the loss, so a little noise makes it larger; around anybody else
    it becomes larger or smaller alike. The attacker counts how often it becomes larger.

    The paper's noise is 0.01; trees and whole numbers take no notice of so little.

    References:
      Jayaraman, Wang, Knipmeyer, Gu, Evans. Revisiting Membership Inference Under Realistic Assumptions. PoPETs 2021,
      arXiv:2005.10881, the Merlin attack.
    """

    id: ClassVar[str] = "membership/merlin"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2005.10881",)

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Share of the copies with a larger loss than the record's own, ties half."""
        return larger_around(target, records, ctx.rng, self.copies, self.scale)[1]
