"""What a report tells of what the trained people look like, worked out for every rendering."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepmum.findings import CLASS_LEVEL, IDENTITY_LEVEL, NOTHING_BEYOND_PRIOR, RECORD_LEVEL, Finding
from keepmum.report import _view as view
from keepmum.report import _words as words
from keepmum.report._report import Report
from keepmum.report._told import Told, by_verdict, everything
from keepmum.stats import Estimate

ORDER = (RECORD_LEVEL, IDENTITY_LEVEL, CLASS_LEVEL, NOTHING_BEYOND_PRIOR)
SIDES = ("trained on", "no search", "never saw")
FOOLED = "unlike any image of this kind: a pattern that fools recognizers, no likeness"

SAID = {
    "pictures": "resemblance is the correlation with the most similar person of a side, 1 for the same picture",
    "profiles": "resemblance is 1 minus the standardized distance to the people of a class, 1 for the same record",
    "rows": "bars are the share of rows recovered in every column",
}
"""What the bars of each kind mean."""


@dataclass(frozen=True)
class Kind:
    """What was reconstructed.

    Attributes:
      name: What the things are.
      metric: What the bars show.
      label: What that is called on the axis.
    """

    name: str
    metric: str
    label: str


PICTURES = Kind("pictures", "resemblance", "resemblance")
PROFILES = Kind("profiles", "resemblance", "resemblance")
ROWS = Kind("rows", "recovered_share", "rows recovered")


@dataclass(frozen=True)
class Column:
    """A number beside the bars.

    Attributes:
      label: Head of the column.
      under: What stands below the head.
      value: The number.
      below: What stands below the number.
      sort: What the column is sorted by.
    """

    label: str
    under: str = ""
    value: str = ""
    below: tuple[str, ...] = ()
    sort: float | None = None


@dataclass(frozen=True)
class Row:
    """An attack as its table shows it.

    Attributes:
      finding: The attack.
      name: Technique.
      auc: The metric that the bars show.
      bars: Trained, no search and never saw on one axis.
      sides: The other two in words.
      columns: What stands beside.
      judges: What each recognizer says, one column each.
      odd: Whether a picture is unlike any image, so that recognizers are fooled.
      p: Adjusted p-value.
      more: Everything measured, by name.
    """

    finding: Finding
    name: str
    auc: view.Cell
    bars: tuple[view.Bar, ...]
    sides: tuple[tuple[str, str], ...]
    columns: tuple[Column, ...]
    judges: tuple[Column, ...]
    odd: bool
    p: str
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Table:
    """Attacks that reconstructed the same kind of thing, strongest first."""

    kind: Kind
    axis: view.Axis
    rows: tuple[Row, ...]

    @property
    def judged(self) -> bool:
        """Whether recognizers were asked."""
        return any(row.judges for row in self.rows)

    @property
    def judges(self) -> tuple[str, ...]:
        """Names of all recognizers."""
        return tuple(dict.fromkeys(judge.label for row in self.rows for judge in row.judges))


@dataclass(frozen=True)
class Part(Told):
    """All that was reconstructed.

    Attributes:
      tables: One for each kind of thing.
      missing: Why an attack was not measured, its outcome, and all attacks of which the same is said.
    """

    tables: tuple[Table, ...]
    missing: tuple[tuple[str, str, tuple[str, ...]], ...]

    @property
    def pictures(self) -> bool:
        """Whether there are pictures, which stand in the closed folder."""
        return any(table.kind is PICTURES for table in self.tables)

    @property
    def fooled(self) -> tuple[Row, ...]:
        """Pictures that are no likenesses, whatever recognizers say."""
        return tuple(row for table in self.tables for row in table.rows if row.odd)


def part(report: Report) -> Part:
    """What a report tells of it."""
    asked = [f for f in report.findings if f.family == words.INVERSION]
    measured = by_verdict([f for f in asked if f.outcome in words.MEASURED], ORDER, ("recovered_share", "resemblance"))
    missed = [f for f in asked if f not in measured]
    groups = dict.fromkeys((f.reason, words.OUTCOMES[f.outcome]) for f in missed)
    return Part(
        strongest=measured[0] if measured else None,
        reasons=tuple(f.reason for f in missed),
        tables=tables(measured),
        missing=tuple(
            (reason, said, tuple(f.id for f in missed if (f.reason, words.OUTCOMES[f.outcome]) == (reason, said)))
            for reason, said in groups
        ),
    )


def tables(measured: Sequence[Finding]) -> tuple[Table, ...]:
    """Measured findings, kind by kind, each kind with an axis that holds all of it."""
    made = []
    for kind in (PICTURES, PROFILES, ROWS):
        found = [f for f in measured if _kind(f) is kind]
        if found:
            axis = _axis(found, kind)
            made.append(Table(kind, axis, tuple(row(f, kind, axis) for f in found)))
    return tuple(made)


def by_attack(named: Sequence[tuple[str, Report]]) -> list[tuple[Table, list[tuple[str, Row]]]]:
    """What several models gave, attack by attack, on axes that hold all."""
    asked = [(name, table, row) for name, report in named for table in part(report).tables for row in table.rows]
    made = []
    for table in tables([row.finding for _, _, row in asked]):
        rows = [(name, row(own.finding, table.kind, table.axis)) for name, its, own in asked if its.kind is table.kind]
        ids = list(dict.fromkeys(shown.finding.id for _, shown in rows))
        made.append((table, sorted(rows, key=lambda pair: ids.index(pair[1].finding.id))))
    return made


def row(finding: Finding, kind: Kind, axis: view.Axis) -> Row:
    """An attack as its table shows it."""
    sides = _sides(finding)
    columns = {PICTURES: _picture, PROFILES: _profile, ROWS: _recovered}[kind](finding)
    there = [(name, side[kind.metric]) for name, side in sides[1:] if kind.metric in side]
    return Row(
        finding=finding,
        name=words.split_id(finding.id)[0],
        auc=view.cell(finding.metrics, kind.metric) if kind.metric in finding.metrics else view.Cell(note="–"),
        bars=view.bars(finding, axis, kind.metric),
        sides=tuple((name, words.metric_text(kind.metric, estimate)) for name, estimate in there),
        columns=columns,
        judges=_judges(finding),
        odd=odd(finding),
        p=words.p_text(finding.adjusted_p_value),
        more=everything(sides),
    )


def odd(finding: Finding) -> bool:
    """Whether its pictures are farther from what images look like than real images are, and are no trained image."""
    far, usual = (finding.metrics.get(name) for name in ("prior_distance", "prior_distance_of_images"))
    if far is None or usual is None or finding.verdict == RECORD_LEVEL:
        return False
    return far.value > usual.value


def _sides(finding: Finding) -> tuple[tuple[str, Mapping[str, Estimate]], ...]:
    return tuple(zip(SIDES, (finding.metrics, finding.baseline, finding.control), strict=True))


def _kind(finding: Finding) -> Kind:
    if "identified" in finding.metrics:
        return PICTURES
    return ROWS if "recovered_share" in finding.metrics else PROFILES


def _axis(findings: Sequence[Finding], kind: Kind) -> view.Axis:
    """Tenths that hold every interval, from -1 at most to 1."""
    shown = [side[kind.metric] for f in findings for _, side in _sides(f) if kind.metric in side]
    low = max(-1.0, math.floor(10 * max(-1.0, min((e.low for e in shown), default=0.0))) / 10)
    high = min(1.0, math.ceil(10 * min(1.0, max((e.high for e in shown), default=1.0))) / 10)
    return view.Axis(low, max(high, low + 0.1), kind.label, None)


def _column(numbers: Mapping[str, Estimate], name: str, label: str, under: str = "", *below: str) -> Column:
    if name not in numbers:
        return Column(label, under)
    interval = words.metric_interval(name, numbers[name])
    texts = (interval.replace(" to ", "–") if "-" not in interval else interval, *below)
    return Column(
        label, under, words.metric_value(name, numbers[name]), tuple(t for t in texts if t), numbers[name].value
    )


def _of(side: Mapping[str, Estimate], name: str, what: str) -> str:
    return f"{what} {words.metric_value(name, side[name])}" if name in side else ""


def _own(finding: Finding) -> Column:
    return _column(finding.metrics, "attackers_own_score", "Own score", "(no success)")


def _picture(finding: Finding) -> tuple[Column, ...]:
    f, far = finding, finding.metrics.get("prior_distance_of_images")
    usual = "" if far is None else f"images up to {words.number(far.value, 2)}"
    return (
        _column(
            f.metrics, "identified", "Identified", "by every recognizer", _of(f.baseline, "identified", "no search")
        ),
        _column(f.metrics, "prior_distance", "Distance", "from images", usual, "fools recognizers" if odd(f) else ""),
        _own(f),
    )


def _profile(finding: Finding) -> tuple[Column, ...]:
    return _column(finding.metrics, "gain_over_prior", "Gain", "over a guess"), _own(finding)


def _recovered(finding: Finding) -> tuple[Column, ...]:
    f = finding
    others = (_of(f.baseline, "median_error", "no search"), _of(f.control, "median_error", "never saw"))
    return (
        _column(f.metrics, "median_error", "Median error", "worst column", *others),
        _column(f.metrics, "noise_that_stops_it", "Noise", "that stops it"),
    )


def _judges(finding: Finding) -> tuple[Column, ...]:
    """What each recognizer says of the pictures, and how good it is itself."""
    named = {name.removeprefix(words.IDENTIFIED_BY) for name in finding.metrics if name.startswith(words.IDENTIFIED_BY)}
    found = []
    for judge, label in words.ordered({name: words.JUDGES.get(name, name) for name in named}, words.JUDGES):
        if not judge.endswith("_in_5"):
            name = f"{words.IDENTIFIED_BY}{judge}"
            below = (
                _of(finding.metrics, f"{name}_in_5", "in its first five:"),
                _of(finding.control, f"{words.ACCURACY_OF}{judge}", "its own accuracy:"),
            )
            found.append(_column(finding.metrics, name, label, "", *below))
    return tuple(found)
