"""What an audit would do, before it does it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keepmum.attacks import Attack
from keepmum.attacks.attribute import AttributeAttack
from keepmum.attacks.membership import MembershipAttack, ShadowAttack, SignalAttack
from keepmum.attacks.membership._measure import FPRS
from keepmum.attacks.structural import GeneralizationGap
from keepmum.data import Split
from keepmum.stats.power import detectable_auc, needed_nonmembers, resolvable_fpr
from keepmum.targets import Target
from keepmum.targets._base import answers

PROBE = 200
"""Rows that are asked about to learn how long an answer takes."""
STATISTICS = 3e-6
"""Seconds per record for the statistics of one attack, measured on one core at 40,000 records."""


@dataclass(frozen=True)
class Training:
    """Shadow models that an audit would train.

    Attributes:
      models: How many.
      seconds: Time for each on one worker, measured on a fleet.
      duration: Time for all of them.
      reason: Why there are none.
      decided_by: What decided their number: ``"number"``, ``"budget"`` or ``"effort"``.
      fleet: Models that are trained together.
      note: How a fleet is trained.
      workers: Fleets that are trained at the same time.
      worker_memory: Most bytes that the worker that trained the measured fleet held; 0 where not known.
    """

    models: int = 0
    seconds: float = 0.0
    duration: float = 0.0
    reason: str = ""
    decided_by: str = "effort"
    fleet: int = 2
    note: str = ""
    workers: int = 1
    worker_memory: int = 0


NO_TRAINING = Training(reason="none were asked for")


@dataclass(frozen=True)
class PlanRow:
    """What one attack would cost.

    Attributes:
      attack: Its id.
      applicable: Whether it can be played against this target.
      reason: Why not.
      queries: Rows it would ask about, alone; answers are shared between attacks.
      seconds: Estimated time, answers already at hand.
    """

    attack: str
    applicable: bool
    reason: str = ""
    queries: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What an audit would do, and what its sample can resolve.

    Attributes:
      rows: One for each attack.
      access: What the target offers.
      members: Members after duplicates across the split are taken out.
      nonmembers: Non-members likewise.
      resolvable_fpr: Smallest false positive rate that can be spoken of.
      detectable_auc: Smallest AUC that is found in 4 of 5 audits of this size.
      refused: Metrics that the sample cannot resolve, with what would do.
      queries: Rows that the target would be asked about in all.
      seconds: Estimated time in all.
      shadows: Shadow models that would be trained.
      seconds_per_shadow: Time for each on one worker, measured on one fleet.
      training: How they would be trained.
      signals_size: Bytes that what they say takes on the disk.
    """

    rows: tuple[PlanRow, ...]
    access: str
    members: int
    nonmembers: int
    resolvable_fpr: float
    detectable_auc: float
    refused: dict[str, str]
    queries: int
    seconds: float
    shadows: int = 0
    seconds_per_shadow: float = 0.0
    training: Training = NO_TRAINING
    signals_size: int = 0


def draw_up(
    target: Target,
    split: Split,
    attacks: Sequence[Attack[Any]],
    training: Training = NO_TRAINING,
    max_queries: int | None = None,
) -> Plan:
    """Measure how long the target takes for a few rows, and add up."""
    m, n = len(split.members), len(split.nonmembers)
    per_row = _seconds_per_row(target, split)
    rows = _rows(attacks, target, split, training, max_queries)
    scored = sum(row.applicable and isinstance(a, MembershipAttack) for a, row in zip(attacks, rows, strict=True))
    population = 0 if split.population is None else len(split.population)
    repeats = getattr(target, "repeats", 1)
    beyond = sum(
        row.queries
        for row, attack in zip(rows, attacks, strict=True)
        if row.applicable and (attack.per_record or attack.asks(target))
    )
    queries = (m + n + population) * repeats + beyond
    asking = queries / repeats * per_row  # which was measured with all repeats
    refused = {
        f"tpr_at_fpr_{fpr:g}": f"needs {needed_nonmembers(fpr):,} non-members, has {n:,}"
        for fpr in FPRS
        if n < needed_nonmembers(fpr)
    }
    return Plan(
        rows=rows,
        access=target.access,
        members=m,
        nonmembers=n,
        resolvable_fpr=resolvable_fpr(n),
        detectable_auc=detectable_auc(m, n, 0.05 / max(1, scored)),
        refused=refused,
        queries=queries,
        seconds=asking + sum(row.seconds for row in rows) + training.duration + 5.0,
        shadows=training.models,
        seconds_per_shadow=training.seconds,
        training=training,
        signals_size=4 * training.models * (m + n),
    )


def _rows(
    attacks: Sequence[Attack[Any]], target: Target, split: Split, training: Training, max_queries: int | None
) -> tuple[PlanRow, ...]:
    """What each attack would cost; those that ask for more share what is left, and some ask about the same rows."""
    repeats, rows, paid = getattr(target, "repeats", 1), [], set[str]()
    people = len(split.pool) + (0 if split.population is None else len(split.population))
    left = None if max_queries is None else max_queries // repeats - people
    playable = [not (a.inapplicable(target) or a.unsuited(split.members)) for a in attacks]
    purses = [
        a.purse if can and (a.per_record or a.asks(target)) else "" for a, can in zip(attacks, playable, strict=True)
    ]
    spare = None if left is None else left // max(1, len({*purses} - {""}))
    for number, attack in enumerate(attacks):
        row = _row(attack, target, len(split.members), len(split.nonmembers), training)
        if row.applicable and not playable[number]:
            row = PlanRow(attack.name, False, attack.unsuited(split.members) or "")
        if isinstance(attack, MembershipAttack) and attack.per_record and row.applicable:
            share = None if left is None else left // len({*purses[number:]} - {""})
            asked = attack.planned(len(split.pool), share)
            row = replace(row, queries=asked * repeats)
            if not asked:
                row = PlanRow(attack.name, False, attack.too_dear(share) or "")
            left = None if left is None else left - asked
        if row.applicable and (wanted := attack.asks(target)):
            asked = wanted if left is None else min(wanted, left // max(1, len({*purses[number:]} - {""})))
            row = replace(row, queries=asked * repeats)
            left = None if left is None else left - asked
        if isinstance(attack, AttributeAttack) and row.applicable:
            asked = 0 if attack.purse in paid else min(people, attack.affordable(spare)) * attack.per_record
            paid.add(attack.purse)
            row = replace(row, queries=asked * repeats)
            left = None if left is None else left - asked
        rows.append(row)
    return tuple(rows)


def _row(attack: Attack[Any], target: Target, members: int, nonmembers: int, training: Training) -> PlanRow:
    reason = attack.inapplicable(target)
    if reason is None and isinstance(attack, ShadowAttack) and training.models < attack.fewest:
        reason = f"needs shadow models: {training.reason or f'at least {attack.fewest}'}"
    if reason is None and attack.trains and not training.models:
        reason = f"needs to train models like the target: {training.reason}"
    if reason is not None:
        return PlanRow(attack.name, False, reason)
    queries = 0
    if isinstance(attack, (MembershipAttack, GeneralizationGap)):
        queries = members + nonmembers
    if isinstance(attack, SignalAttack) and attack.per_class:
        queries += nonmembers
    queries *= getattr(target, "repeats", 1)
    seconds = STATISTICS * (members + nonmembers) + attack.trains * training.seconds
    return PlanRow(attack.name, True, "", queries, seconds)


def _seconds_per_row(target: Target, split: Split) -> float:
    records = split.pool.take(np.arange(min(PROBE, len(split.pool))))
    began = time.perf_counter()
    answers(target, records)
    return (time.perf_counter() - began) / len(records)
