"""Membership inference by comparing the exact record with records that differ in one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._neighbors import neighbors
from keepmum.attacks.membership._query import QueryAttack
from keepmum.data import Records
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class Neighborhood(QueryAttack[ScoreTarget]):
    """Record-neighborhood probing.

    Was the rare visit in it? The attacker asks about the exact record and about the same one with a single thing
    changed. A model that answers the exact record much better has seen it; one that has learned the rule hardly
    minds.

    One thing is: a column, replaced by another person's value; a pixel's breadth, for images; an entry of a sparse
    row or a word of a text, taken out. The paper compares losses. Here probabilities are compared: they are bounded,
    so that no single answer that is all but impossible decides a mean, and leave whoever is answered badly either way
    in the middle.

    Attributes:
      neighbors: Modified records for each record.

    References:
      Mattern, Mireshghallah, Jin, Schölkopf, Sachan, Berg-Kirkpatrick. Membership Inference Attacks against Language
      Models via Neighbourhood Comparison. Findings of ACL 2023, arXiv:2305.18462, with losses of texts.
    """

    id: ClassVar[str] = "membership/neighborhood"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2305.18462",)

    neighbors: int = 16

    @property
    def per_record(self) -> int:
        """The record and its neighbors."""
        return 1 + self.neighbors

    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Probability of the true label, less its mean over the neighbors."""
        around, label = neighbors(records), target.positions(records.y)
        rows, total = np.arange(len(records)), np.zeros(len(records))
        own = target.predict_proba(records)[rows, label]
        for turn in range(self.neighbors):
            total += own - target.predict_proba(around.changed(ctx.rng, turn))[rows, label]
        return total / self.neighbors
