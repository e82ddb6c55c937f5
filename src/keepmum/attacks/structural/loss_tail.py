"""Whether those whom the model answers worst are people that it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.structural._base import Examination, StructuralAttack
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.stats import Estimate
from keepmum.stats.null import top_share_p_value
from keepmum.stats.power import resolvable_fpr
from keepmum.stats.roc import tpr_at_fpr
from keepmum.targets._base import ScoreTarget, Target

SHARES = (0.1, 0.01, 0.001)


@dataclass(frozen=True)
class LossTail(StructuralAttack):
    """Loss-tail check.

    A model that has learned its members by heart answers hardly any of them very badly, while among people it never
    saw the worst answers stay. How many of the latter lie beyond the worst of the members is free to see, and goes
    along with how many members the strongest attacks with shadow models find: a reason to train some. It accuses
    nobody by itself.

    References:
      Dodd, Krčo, Shilov, de Montjoye. The Tail Tells All: Estimating Model-Level Membership Inference Vulnerability
      Without Reference Models (2025), arXiv:2510.19773: the true negative rate of the loss attack.
    """

    id: ClassVar[str] = "structural/loss-tail"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2510.19773",)
    sees: ClassVar[str] = "scores"

    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Share of non-members beyond the worst members; exact tests of who has the highest losses of all."""
        if not isinstance(target, ScoreTarget):
            raise NotApplicableError("needs a classifier that tells probabilities")
        inside, outside = (losses(target, side) for side in (data.members, data.nonmembers))
        resolved = [share for share in SHARES if resolvable_fpr(len(inside)) <= share]
        metrics = {f"tnr_at_fnr_{share:g}": tpr_at_fpr(outside, inside, share) for share in resolved}
        share = 0.01 if 0.01 in resolved else 0.1
        beyond = metrics.get(f"tnr_at_fnr_{share:g}")
        return Examination(
            explanation=_sentence(share, beyond),
            p_value=tail_p_value(inside, outside),
            metrics=metrics,
            control=_control(outside, ctx),
            inconclusive="" if beyond is not None else "too few people to speak of the worst answered tenth",
        )


def losses(target: ScoreTarget, records: Records) -> NDArray[np.float64]:
    """Cross-entropy of each record's own label, in nats, shape ``(n,)``."""
    label = target.positions(records.y)
    true = target.predict_proba(records)[np.arange(len(records)), label]
    return np.asarray(-np.log(np.maximum(true, 1e-300)))


def tail_p_value(inside: NDArray[np.float64], outside: NDArray[np.float64]) -> float:
    """Are the highest losses those of non-members more often than chance? Looks that Bonferroni pays for.

    Each look is an exact hypergeometric test on the top share of all losses, of those shares that hold three people.
    """
    shares = [share for share in SHARES if share * (len(inside) + len(outside)) >= 3]
    looks = [top_share_p_value(outside, inside, share) for share in shares]
    return min(1.0, len(looks) * min(looks)) if looks else 1.0


def _control(outside: NDArray[np.float64], ctx: Context) -> dict[str, Estimate]:
    """The same of one random half of the non-members against the other."""
    half = ctx.rng.permutation(len(outside)) < len(outside) // 2
    ours, theirs = outside[half], outside[~half]
    resolved = [share for share in SHARES if len(ours) and resolvable_fpr(len(ours)) <= share]
    return {f"tnr_at_fnr_{share:g}": tpr_at_fpr(theirs, ours, share) for share in resolved}


def _sentence(share: float, beyond: Estimate | None) -> str:
    if beyond is None:
        return "Too few people for a tail."
    return (
        f"{beyond.value:.1%} of the people the model never saw ({beyond.low:.1%} to {beyond.high:.1%}) are answered "
        f"worse than all but {share:.0%} of the members; {share:.0%} would be if it treated both alike."
    )
