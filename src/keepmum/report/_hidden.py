"""What a report tells of hidden attributes, worked out: one part for each, for every rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepmum.findings import (
    NOTHING_BEYOND_IMPUTATION,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Finding,
    HiddenAttribute,
    Slice,
)
from keepmum.report import _view as view
from keepmum.report import _words as words
from keepmum.report._report import Report
from keepmum.report._told import Told, by_verdict, everything
from keepmum.stats import Estimate

ORDER = (RECORD_LEVEL, POPULATION_LEVEL, NOTHING_BEYOND_IMPUTATION)
MAJORITY = "majority"
ONE_COLUMN = "best single column"
SIDES = ("attack", "imputation", "never saw")


@dataclass(frozen=True)
class Row:
    """An attack on a hidden attribute, as its table shows it.

    Attributes:
      finding: The attack.
      name: Technique.
      auc: The metric that the bars show: the AUC, or for a number the share guessed close enough.
      bars: Attack, imputation and people it never saw on one axis.
      sides: The other two in words.
      right: Share guessed right, or for a number R², of the three.
      beyond: Advantages over imputation and over people it never saw, with their names.
      p: Adjusted p-value.
      more: Everything measured, by name.
    """

    finding: Finding
    name: str
    auc: view.Cell
    bars: tuple[view.Bar, ...]
    sides: tuple[tuple[str, str], ...]
    right: tuple[tuple[str, view.Cell], ...]
    beyond: tuple[tuple[str, str, view.Cell], ...]
    p: str
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Imputed:
    """What one attacker without the model guesses."""

    name: str
    best: bool
    strength: view.Cell
    right: view.Cell


@dataclass(frozen=True)
class Part(Told):
    """Everything about one hidden attribute.

    Attributes:
      name: What it is called.
      about: What was hidden, and the imputations, where the report tells.
      axis: Axis of the bars.
      metric: What the bars show.
      second: What stands beside them.
      rows: Attacks that look for what the model remembers, strongest first.
      aside: Attacks that read the attribute off an answer about the true record: no leakage of training data.
      imputed: Attackers without the model, best first.
      missing: Findings without a measurement.
      groups: Shares guessed right within groups of people, column by column.
    """

    name: str
    about: HiddenAttribute
    axis: view.Axis
    metric: str
    second: str
    rows: tuple[Row, ...]
    aside: tuple[Row, ...]
    imputed: tuple[Imputed, ...]
    missing: tuple[Finding, ...]
    groups: tuple[tuple[str, Finding, tuple[Slice, ...]], ...]

    @property
    def asked(self) -> str:
        """What was hidden, how, and from whom, in a line."""
        a = self.about
        kind = f"a number, right if off by at most {a.tolerance:.3g}" if a.continuous else f"{a.values} values"
        people = f"{a.members:,} people in, {a.nonmembers:,} out" if a.members else ""
        columns = f"columns {', '.join(a.columns)}" if a.columns not in ((), (a.name,)) else ""
        known = f"the attacker knows the label and {', '.join(a.known) or 'nothing else'}" if a.members else ""
        line = "; ".join(part for part in (columns, kind if a.values else "", people, known) if part)
        return line[:1].upper() + line[1:]


def parts(report: Report, beside: Sequence[Report] = ()) -> list[Part]:
    """Every hidden attribute of a report, in the order of the audit; its axes hold those of the reports beside it."""
    told = {a.name: a for a in report.attributes}
    names = dict.fromkeys([*told, *map(subject, _about_attributes(report))])
    return [
        _part(
            told.get(name, HiddenAttribute(name)),
            [f for f in _about_attributes(report) if subject(f) == name],
            [f for r in (report, *beside) for f in _about_attributes(r) if subject(f) == name],
        )
        for name in names
    ]


def by_subject(named: Sequence[tuple[str, Report]]) -> list[tuple[str, list[tuple[str, Part]]]]:
    """The hidden attributes of several reports, each with the reports that were asked about it."""
    reports = [report for _, report in named]
    found = [(name, part) for name, report in named for part in parts(report, reports)]
    return [
        (name, [pair for pair in found if pair[1].name == name]) for name in dict.fromkeys(p.name for _, p in found)
    ]


def by_attack(found: Sequence[tuple[str, Part]]) -> list[tuple[str, Part, Row]]:
    """The rows of one attribute on several models, attack by attack."""
    rows = [(name, part, row) for name, part in found for row in (*part.rows, *part.aside)]
    names = list(dict.fromkeys(row.name for _, _, row in rows))
    return sorted(rows, key=lambda item: names.index(item[2].name))


def _about_attributes(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.family == words.ATTRIBUTE]


def subject(finding: Finding) -> str:
    """The hidden attribute of a finding; of one without a measurement it stands in the id."""
    return finding.subject or finding.id.partition(":")[2] or "unnamed"


def technique(finding: Finding) -> str:
    """Name of the technique."""
    return words.split_id(finding.id.partition(":")[0])[0]


def about_training(finding: Finding) -> bool:
    """Whether it looks for what the model remembers: only such findings are tested."""
    return finding.p_value is not None or not finding.metrics


def _part(about: HiddenAttribute, findings: Sequence[Finding], shown: Sequence[Finding]) -> Part:
    measured = by_verdict([f for f in findings if f.outcome in words.MEASURED], ORDER, words.PRIMARY)
    missing = tuple(f for f in findings if f not in measured)
    tested = [f for f in measured if about_training(f)]
    numbers = about.continuous or any("within_tolerance" in f.metrics for f in measured)
    metric, second = ("within_tolerance", "r_squared") if numbers else ("attribute_auc", "hit_rate")
    axis = _axis(about, shown, metric)
    rows = {f.id: row(f, axis, metric, second) for f in measured}
    return Part(
        name=about.name,
        about=about,
        strongest=tested[0] if tested else None,
        axis=axis,
        metric=metric,
        second=second,
        rows=tuple(rows[f.id] for f in tested),
        aside=tuple(rows[f.id] for f in measured if f not in tested),
        imputed=_imputed(about, metric, second),
        missing=missing,
        reasons=(about.reason, *(f.reason for f in missing)),
        groups=_groups(tested),
    )


def _axis(about: HiddenAttribute, findings: Sequence[Finding], metric: str) -> view.Axis:
    sides = [side for f in findings for side in (f.metrics, f.baseline, f.control)]
    ends = view.ends([side[metric] for side in sides if metric in side])
    if metric == "attribute_auc":
        return view.Axis(*ends)
    majority = about.imputations.get(MAJORITY, {}).get(metric)
    chance = None if majority is None else majority.value
    low = ends[0] if chance is None else max(0.0, min(ends[0], int(10 * chance) / 10))
    return view.Axis(low, ends[1], "share guessed close enough", chance, "the same guess for everybody")


def row(finding: Finding, axis: view.Axis, metric: str, second: str) -> Row:
    """An attack as the table shows it."""
    sides = tuple(zip(SIDES, (finding.metrics, finding.baseline, finding.control), strict=True))
    advantages = (
        ("advantage_over_imputation", "Beyond imputation"),
        ("advantage_over_nonmembers", "Beyond never saw"),
    )
    return Row(
        finding=finding,
        name=technique(finding),
        auc=view.cell(finding.metrics, metric),
        bars=view.bars(finding, axis, metric),
        sides=tuple((name, words.metric_text(metric, side[metric])) for name, side in sides[1:] if metric in side),
        right=tuple((name, view.cell(side, second)) for name, side in sides if second in side),
        beyond=tuple((name, label, _gain(finding.metrics.get(name))) for name, label in advantages),
        p=words.p_text(finding.adjusted_p_value),
        more=everything(sides),
    )


def _gain(advantage: Estimate | None) -> view.Cell:
    if advantage is None:
        return view.Cell()
    return view.Cell(f"{advantage.value:+.3f}", f"[{advantage.low:+.3f}, {advantage.high:+.3f}]")


def _imputed(about: HiddenAttribute, metric: str, second: str) -> tuple[Imputed, ...]:
    def order(item: tuple[str, Mapping[str, Estimate]]) -> tuple[float, str]:
        name, numbers = item
        return -numbers[metric].value if metric in numbers else 1.0, name

    found = []
    for name, numbers in sorted(about.imputations.items(), key=order):
        label = f"{name}: {about.column}" if name == ONE_COLUMN and about.column else name
        cells = view.cell(numbers, metric), view.cell(numbers, second)
        found.append(Imputed(label, name == about.best, *cells))
    return tuple(found)


def _groups(findings: Sequence[Finding]) -> tuple[tuple[str, Finding, tuple[Slice, ...]], ...]:
    """Of the strongest attack that was divided into groups."""
    first = next((f for f in findings if f.slices), None)
    if first is None:
        return ()
    columns = dict.fromkeys(part.column for part in first.slices)
    return tuple((name, first, tuple(s for s in first.slices if s.column == name)) for name in columns)
