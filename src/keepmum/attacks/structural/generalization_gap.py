"""How much better the model does on its members than on everybody else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.structural._base import Examination, StructuralAttack
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.stats.intervals import difference, wilson
from keepmum.targets._base import LabelTarget, Target


@dataclass(frozen=True)
class GeneralizationGap(StructuralAttack):
    """Generalization-gap check.

    A model that does clearly better on the people it was trained on has learned something about them that does not
    hold for others. The gap is a lower bound on what any membership attack with labels can reach.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, theorem 2.
    """

    id: ClassVar[str] = "structural/generalization-gap"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)
    sees: ClassVar[str] = "label-only"

    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Accuracy on members minus accuracy on non-members; Fisher's exact test, one-sided."""
        from scipy.stats import hypergeom

        if not isinstance(target, LabelTarget):
            raise NotApplicableError("needs a classifier")
        right, wrong_side = (_right(target, side) for side in (data.members, data.nonmembers))
        m, n = len(data.members), len(data.nonmembers)
        inside, outside = wilson(right, m), wilson(wrong_side, n)
        gap = difference(inside, outside)
        return Examination(
            explanation=(
                f"The model is right on {inside.value:.1%} of the members and on {outside.value:.1%} of the people it "
                f"never saw: a gap of {100 * gap.value:.1f} points ({100 * gap.low:.1f} to {100 * gap.high:.1f})."
            ),
            p_value=float(hypergeom.sf(right - 1, m + n, right + wrong_side, m)),
            metrics={"accuracy": inside, "gap": gap},
            control={"accuracy": outside},
        )


def _right(target: LabelTarget, records: Records) -> int:
    return int((target.predict(records) == target.positions(records.y)).sum())
