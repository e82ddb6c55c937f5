"""From membership scores to a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.data import Records
from keepmum.errors import NotResolvableError, TargetError
from keepmum.findings import Curve, Finding, Outcome, Slice
from keepmum.stats import Estimate
from keepmum.stats.epsilon import epsilon_lower_bound
from keepmum.stats.null import membership_p_value
from keepmum.stats.power import needed_nonmembers, resolvable_fpr
from keepmum.stats.roc import (
    advantage,
    auc,
    balanced_accuracy,
    midranks,
    precision,
    roc_curve,
    threshold_at_fpr,
    tpr_at_fpr,
)
from keepmum.targets._base import LabelTarget, Target

if TYPE_CHECKING:
    from keepmum.attacks.membership._base import MembershipAttack

Scores = NDArray[np.float64]
FPRS = (0.1, 0.01, 0.001)
LEVEL = 0.05
SMALL = 10
"""A group with fewer people on a side is not shown by itself: a count of one is a person."""
MOST_GROUPS = 50
"""Groups of a column that are reported: the largest ones."""
FEWEST = needed_nonmembers(max(FPRS))
"""Fewer people than this on either side cannot resolve even the coarsest rate: inconclusive."""


def judge(
    attack: MembershipAttack[Any],
    target: Target,
    records: Records,
    is_member: NDArray[np.bool_],
    scores: Scores,
    ctx: Context,
    queries: int,
) -> Finding:
    """Measure the scores of one attack."""
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != is_member.shape or not np.isfinite(scores).all():
        raise TargetError(f"expected finite scores of shape {is_member.shape} from {attack.name}, got {scores.shape}")
    members, nonmembers = scores[is_member], scores[~is_member]
    metrics, refused = measure(members, nonmembers, ctx)
    p_value = membership_p_value(members, nonmembers)
    few = min(len(members), len(nonmembers))
    outcome = Outcome.LEAK if p_value <= LEVEL else Outcome.NO_LEAK_FOUND
    reason = ""
    if few < FEWEST:
        outcome = Outcome.INCONCLUSIVE
        reason = f"too few people: {few} on one side, at least {FEWEST} on each are needed to resolve any rate"
    return Finding(
        id=attack.name,
        family=attack.family,
        outcome=outcome,
        access=attack.access,
        queries=queries,
        metrics=metrics,
        baseline=dict(ctx.baseline),
        control=control(nonmembers, ctx),
        refused=refused,
        p_value=p_value,
        explanation=sentence(members, nonmembers, metrics, ctx),
        reason=reason,
        slices=slices(records, is_member, scores, ctx, by_class=isinstance(target, LabelTarget)),
        curve=curve(members, nonmembers),
        references=attack.references,
    )


def measure(members: Scores, nonmembers: Scores, ctx: Context) -> tuple[dict[str, Estimate], dict[str, str]]:
    """All metrics of one attack, and those that the sample refuses."""
    gain = advantage(members, nonmembers, ctx.rng)
    metrics = {
        "auc": auc(members, nonmembers),
        "advantage": gain,
        "balanced_accuracy": balanced_accuracy(gain),
    }
    refused: dict[str, str] = {}
    for fpr in FPRS:
        try:
            metrics[f"tpr_at_fpr_{fpr:g}"] = tpr_at_fpr(members, nonmembers, fpr)
        except NotResolvableError as err:
            refused[f"tpr_at_fpr_{fpr:g}"] = str(err)
    metrics["epsilon_lower_bound"] = epsilon_lower_bound(members, nonmembers, ctx.delta)
    point = operating_point(members, nonmembers)
    if point is not None:
        metrics["precision"] = precision(members, nonmembers, point, ctx.prior)
    return metrics, refused


def operating_point(members: Scores, nonmembers: Scores) -> float | None:
    """The false positive rate of the plain sentence: the lowest that the sample resolves and that accuses anybody.

    Where many people share the highest score (a forest that is certain of most), accusing only them is accusing too
    many already; the next coarser rate is taken.
    """
    for fpr in (0.01, 0.1, 0.5):
        if resolvable_fpr(len(nonmembers)) <= fpr and (members > threshold_at_fpr(nonmembers, fpr)).any():
            return fpr
    return None


def sentence(members: Scores, nonmembers: Scores, metrics: dict[str, Estimate], ctx: Context) -> str:
    """What the numbers mean to a lay person."""
    fpr = operating_point(members, nonmembers)
    if fpr is None:
        area = metrics["auc"]
        return (
            f"Shown one member and one non-member, the attack tells which is which in {100 * area.value:.0f} of 100 "
            f"cases ({100 * area.low:.0f} to {100 * area.high:.0f}; 50 is guessing); it cannot accuse a few only."
        )
    right, cut = metrics["precision"], threshold_at_fpr(nonmembers, fpr)
    return (
        f"If {ctx.prior:.0%} of the people asked about were in the training set, then of 100 people accused "
        f"{100 * right.value:.0f} really were ({100 * right.low:.0f} to {100 * right.high:.0f}); the attack finds "
        f"{(members > cut).mean():.1%} of them while wrongly accusing {(nonmembers > cut).mean():.1%} of the others."
    )


def control(nonmembers: Scores, ctx: Context) -> dict[str, Estimate]:
    """The same attack on people the model never saw: one random half of the non-members against the other."""
    if len(nonmembers) < 4:
        return {}
    half = np.random.default_rng([ctx.seed, 0x68616C66]).permutation(len(nonmembers)) < len(nonmembers) // 2
    return {"auc": auc(nonmembers[half], nonmembers[~half])}


def slices(
    records: Records, is_member: NDArray[np.bool_], scores: Scores, ctx: Context, *, by_class: bool
) -> tuple[Slice, ...]:
    """Results per class and per group of the chosen columns; intervals hold for all groups of a column at once."""
    grouped = [("class", records.y)] if by_class else []
    grouped += [(name, records.column(name)) for name in ctx.slices]
    found: list[Slice] = []
    for column, values in grouped:
        names, place = folded(values, is_member)
        confidence = 1 - 0.05 / len(names)
        sizes = np.bincount(place)
        for group in np.sort(np.argsort(-sizes, kind="stable")[:MOST_GROUPS]):
            inside = place == group
            mine, theirs = scores[inside & is_member], scores[inside & ~is_member]
            metrics = {"auc": auc(mine, theirs, confidence)} if min(len(mine), len(theirs)) >= FEWEST else {}
            if metrics:
                metrics["tpr_at_fpr_0.1"] = tpr_at_fpr(mine, theirs, 0.1, confidence)
            found.append(Slice(column, str(names[group]), len(mine), len(theirs), metrics))
    return tuple(found)


def folded(values: NDArray[Any], is_member: NDArray[np.bool_]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Groups of a column; those with fewer than `SMALL` people on a side are put together, so that none shows.

    If even together they are few, the next larger group joins them: subtraction from the whole must not show them.
    """
    names, place = np.unique([str(v) for v in values.tolist()], return_inverse=True)
    sides = np.stack([np.bincount(place[side], minlength=len(names)) for side in (is_member, ~is_member)])
    small = sides.min(axis=0) < SMALL
    if not small.any():
        return names, place
    while not small.all() and sides[:, small].sum(axis=1).min() < SMALL:
        small[np.flatnonzero(~small)[np.argmin(sides[:, ~small].min(axis=0))]] = True
    kept = np.flatnonzero(~small)
    moved = np.full(len(names), len(kept), dtype=np.intp)
    moved[kept] = np.arange(len(kept))
    return np.append(names[kept], "(small groups together)"), moved[place]


def curve(members: Scores, nonmembers: Scores, points: int = 120, bins: int = 20) -> Curve:
    """Thin the ROC curve evenly in the logarithm of the false positive rate, and bin the ranks of the scores."""
    fpr, tpr = roc_curve(members, nonmembers)
    wanted = np.r_[0.0, np.geomspace(1 / len(nonmembers), 1, points)]
    keep = np.unique(np.r_[np.searchsorted(fpr, wanted, side="right") - 1, len(fpr) - 1])
    ranks = (midranks(np.concatenate([members, nonmembers])) - 0.5) / (len(members) + len(nonmembers))
    edges = np.linspace(0, 1, bins + 1)
    shares = [np.histogram(part, edges)[0] / len(part) for part in (ranks[: len(members)], ranks[len(members) :])]
    return Curve(*(tuple(round(float(v), 6) for v in part) for part in (fpr[keep], tpr[keep], edges, *shares)))
