"""What changed between two audits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from keepmum.findings import Finding, Outcome
from keepmum.report._report import Report
from keepmum.report._words import PRIMARY
from keepmum.stats import Estimate
from keepmum.stats.intervals import difference, normal_quantile

LESS_IS_WORSE = frozenset({"smallest_leaf", "median_error", "people_per_class"})
"""Metrics of which less is more leakage."""


class Direction(StrEnum):
    """Which way leakage went."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Change:
    """One metric of one finding in both reports.

    Attributes:
      id: The finding.
      metric: The metric; less is less leakage, except for those of `LESS_IS_WORSE`.
      before: In the first report.
      after: In the second report.
      difference: ``after - before``; infinite where a one-sided bound can tell nothing.
      direction: Better or worse only where the interval of the difference excludes zero.
    """

    id: str
    metric: str
    before: Estimate
    after: Estimate
    difference: Estimate
    direction: Direction


@dataclass(frozen=True)
class Comparison:
    """Two reports, finding by finding.

    Attributes:
      changes: Every metric that both reports hold.
      outcomes: Outcome before and after of each finding that both hold.
      only_before: Findings of the first report alone.
      only_after: Findings of the second report alone.
      direction: Worse if any attack became stronger for certain, better if at least one became weaker and none
        stronger, else undecided.
      statement: The same as a sentence.
    """

    changes: tuple[Change, ...]
    outcomes: Mapping[str, tuple[Outcome, Outcome]]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    direction: Direction
    statement: str

    def change(self, attack: str, metric: str) -> Change | None:
        """The change of a metric of an attack, if both reports hold it."""
        return next((c for c in self.changes if (c.id, c.metric) == (attack, metric)), None)


def compare(before: Report, after: Report) -> Comparison:
    """Hold two reports side by side.

    The audits are taken as independent. Where both asked about the same people the true intervals are narrower,
    so that "undecided" may then be said too often, never too seldom. The overall direction looks at how strong each
    attack is (`PRIMARY`) and widens the intervals for the number of attacks compared (Bonferroni, by the ratio of
    normal quantiles).
    """
    old, new = ({f.id: f for f in report.findings} for report in (before, after))
    shared = [name for name in old if name in new]
    changes = tuple(change for name in shared for change in _changes(old[name], new[name]))
    direction, statement = _overall(changes)
    return Comparison(
        changes=changes,
        outcomes={name: (old[name].outcome, new[name].outcome) for name in shared},
        only_before=tuple(name for name in old if name not in new),
        only_after=tuple(name for name in new if name not in old),
        direction=direction,
        statement=statement,
    )


def _changes(before: Finding, after: Finding) -> list[Change]:
    found = []
    for name, old in before.metrics.items():
        if name in after.metrics:
            gap = _gap(after.metrics[name], old)
            found.append(Change(before.id, name, old, after.metrics[name], gap, _towards(name, gap)))
    return found


def _gap(after: Estimate, before: Estimate) -> Estimate:
    """Their difference; one-sided bounds on both sides leave it open."""
    if all(math.isfinite(end) for e in (after, before) for end in (e.value, e.low, e.high)):
        return difference(after, before)
    value = after.value - before.value if math.isfinite(after.value) and math.isfinite(before.value) else 0.0
    return Estimate(value, -math.inf, math.inf, min(after.confidence, before.confidence))


def _towards(metric: str, gap: Estimate) -> Direction:
    way = direction_of(gap)
    other = {Direction.BETTER: Direction.WORSE, Direction.WORSE: Direction.BETTER}
    return other.get(way, way) if metric in LESS_IS_WORSE else way


def direction_of(gap: Estimate) -> Direction:
    """Whether leakage fell or rose for certain."""
    if gap.high < 0:
        return Direction.BETTER
    return Direction.WORSE if gap.low > 0 else Direction.UNDECIDED


def _overall(changes: tuple[Change, ...]) -> tuple[Direction, str]:
    gaps = {c.id: _widened(c.difference, changes) for c in changes if c.metric in PRIMARY}
    weaker = [name for name, gap in gaps.items() if direction_of(gap) == Direction.BETTER]
    stronger = [name for name, gap in gaps.items() if direction_of(gap) == Direction.WORSE]
    if not gaps:
        return Direction.UNDECIDED, "The two reports share no attack whose strength both measured."
    total = f"of {len(gaps)} attack{'s' * (len(gaps) > 1)} measured in both"
    if stronger:
        also = f"; {len(weaker)} became weaker" if weaker else ""
        return Direction.WORSE, f"It got worse: {len(stronger)} {total} became stronger{also}."
    if weaker:
        return Direction.BETTER, f"It got better: {len(weaker)} {total} became weaker, none became stronger."
    return Direction.UNDECIDED, f"Undecided: none {total} changed by more than chance can explain."


def _widened(gap: Estimate, changes: tuple[Change, ...]) -> Estimate:
    count = sum(change.metric in PRIMARY for change in changes)
    error = 1 - gap.confidence
    ratio = normal_quantile(1 - error / (2 * count)) / normal_quantile(1 - error / 2)
    low, high = gap.value - ratio * (gap.value - gap.low), gap.value + ratio * (gap.high - gap.value)
    return Estimate(gap.value, low, high, 1 - error / count)
