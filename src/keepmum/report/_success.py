"""How far each search for pictures had come after so many queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keepmum.findings import Finding
from keepmum.report import _view as view
from keepmum.report import _words as words
from keepmum.stats import Estimate

METRIC, OWN = "identified", "attackers_own_score"
ORDER = ("gradients", "scores", "label-only")
"""Access, the most first."""


def searches(findings: Sequence[Finding]) -> list[Finding]:
    """Searches that were judged along the way: the most successful of each access, then all others by success."""
    found = [f for f in findings if f.outcome in words.MEASURED and any(METRIC in m.metrics for m in f.progress)]
    found.sort(key=lambda f: (-_end(f).value, f.id))
    firsts = {access: next(f for f in found if f.access == access) for access in {f.access for f in found}}
    best = sorted(firsts.values(), key=lambda f: (ORDER.index(f.access) if f.access in ORDER else len(ORDER), f.id))
    return [*best, *(f for f in found if f not in best)]


def points(finding: Finding) -> list[tuple[int, Estimate]]:
    """Queries for each class, and the share that every recognizer names right then."""
    return [(mark.queries, mark.metrics[METRIC]) for mark in finding.progress if METRIC in mark.metrics]


def without(findings: Sequence[Finding]) -> float | None:
    """The best without a search, over all of these attacks."""
    return max((f.baseline[METRIC].value for f in findings if METRIC in f.baseline), default=None)


def name(finding: Finding) -> str:
    """Technique and access."""
    return f"{words.split_id(finding.id)[0]} ({finding.access})"


def in_words(findings: Sequence[Finding]) -> str:
    """The curves for those who do not see them."""
    said = []
    for finding in findings:
        reached = ", ".join(f"{words.percent(e.value)} % after {queries:,}" for queries, e in points(finding))
        said.append(f"{name(finding)}: {reached} queries for each class.")
    return " ".join(said)


def _end(finding: Finding) -> Estimate:
    return points(finding)[-1][1]


@dataclass(frozen=True)
class Row:
    """A search in the table of what it had after so many queries.

    Attributes:
      finding: The search.
      name: Its technique.
      end: Queries for each class at its end.
      cells: A cell for each of the table's numbers of queries, and one for the end; empty once it had ended.
      own: The attacker's own score at these times.
    """

    finding: Finding
    name: str
    end: int
    cells: tuple[view.Cell, ...]
    own: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Searches by what they had after so many queries; the end of each stands in a column of its own."""

    marks: tuple[int, ...]
    rows: tuple[Row, ...]


def table(findings: Sequence[Finding]) -> Table:
    """The numbers of the curves, with their intervals."""
    asked = tuple(sorted({mark.queries for f in findings for mark in f.progress[:-1]}))
    return Table(asked, tuple(_row(f, asked) for f in findings))


def _row(finding: Finding, asked: Sequence[int]) -> Row:
    end = finding.progress[-1]
    there = {mark.queries: mark.metrics for mark in finding.progress[:-1]}
    every = [*(there.get(queries, {}) for queries in asked), end.metrics]
    own = tuple(words.metric_value(OWN, metrics[OWN]) if OWN in metrics else "" for metrics in every)
    cells = tuple(view.cell(metrics, METRIC) for metrics in every)
    return Row(finding, words.split_id(finding.id)[0], end.queries, cells, own)
