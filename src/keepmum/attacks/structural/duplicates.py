"""People who stand on both sides of the split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.structural._base import Examination, StructuralAttack
from keepmum.data import Split
from keepmum.errors import NotApplicableError
from keepmum.stats.intervals import clopper_pearson
from keepmum.targets._base import Target

MOST = 0.5


@dataclass(frozen=True)
class Duplicates(StructuralAttack):
    """Duplicates across the split.

    Someone whose record also stands among the members cannot serve as a non-member. Such records are taken out of
    both sides before any attack; this check tells how many there were. It says nothing about the model.

    References:
      Carlini et al. The Privacy Onion Effect. NeurIPS 2022, arXiv:2206.10469, on duplicates in audits.
    """

    id: ClassVar[str] = "structural/duplicates"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2206.10469",)
    sees: ClassVar[str] = "records only"

    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Shares of both sides that were taken out."""
        overlap = ctx.overlap
        if overlap is None:
            raise NotApplicableError("there are no record columns to compare")
        ours = overlap.exact_members + overlap.near_members
        theirs = overlap.exact_nonmembers + overlap.near_nonmembers
        many = overlap.share > MOST
        return Examination(
            explanation=(
                f"{ours:,} of {overlap.members:,} members and {theirs:,} of {overlap.nonmembers:,} non-members stood "
                f"on both sides ({overlap.near_members + overlap.near_nonmembers:,} of them nearly); they were taken "
                "out of both."
            ),
            metrics={"duplicate_share": clopper_pearson(ours, overlap.members)},
            control={"duplicate_share": clopper_pearson(theirs, overlap.nonmembers)},
            inconclusive="most records stand on both sides: members cannot be told from non-members" if many else "",
        )
