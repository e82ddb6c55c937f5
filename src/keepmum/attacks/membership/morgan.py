"""Membership inference from the loss and its neighborhood together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._copies import CopiesAttack, larger_around
from keepmum.data import Records
from keepmum.stats.area import midranks
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Morgan(CopiesAttack[ScoreTarget]):
    """Morgan: measuring loss, relatively greater around neighborhood.

    A low loss alone also has who is easy, and a loss that grows around the record alone also has who is badly answered.
    The attacker accuses only whoever shows both.

    The paper accuses below one threshold of the loss, above a second one, and above one of Merlin's share, all three
    chosen on the attacker's own data. Here both looks are turned into ranks among the people asked about and the
    smaller rank is the score: whoever is accused stands above the same quantile in both. The second threshold,
    against losses that are too low to be a member's, is left out.

    References:
      Jayaraman, Wang, Knipmeyer, Gu, Evans. Revisiting Membership Inference Under Realistic Assumptions. PoPETs 2021,
      arXiv:2005.10881, the Morgan attack.
    """

    id: ClassVar[str] = "membership/morgan"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2005.10881",)

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """The smaller of two ranks: of the scaled logit, and of the share of copies with a larger loss."""
        own, larger = larger_around(target, records, ctx.rng, self.copies, self.scale)
        return np.asarray(np.minimum(midranks(own), midranks(larger)))
