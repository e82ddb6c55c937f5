"""What the page shows, worked out: rows, bars, footnotes. The templates only place it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from keepmum.findings import FAMILIES, Check, Coverage, ExposedGroup, Exposure, Finding, Outcome, Slice
from keepmum.report import _words as words
from keepmum.report._report import Report
from keepmum.stats import Estimate

MOST_GROUPS = 50
FEWER_GROUPS = 8


@dataclass(frozen=True)
class Axis:
    """The axis of a page's bars.

    Attributes:
      low: Left end.
      high: Right end.
      label: What it measures.
      chance: Where the dashed line stands, or None.
      meaning: What reaches the dashed line.
    """

    low: float = 0.4
    high: float = 1.0
    label: str = "AUC"
    chance: float | None = 0.5
    meaning: str = "guessing"

    @property
    def words(self) -> str:
        """The axis for those who read the caption."""
        ends = f"axis from {self.low} to {self.high}"
        return ends if self.chance is None else f"{ends}, dashed at {self.chance:.2g}: {self.meaning}"

    def place(self, value: float) -> float:
        """Where a value stands, in percent of the axis; outside values stand at its ends."""
        return round(100 * (min(self.high, max(self.low, value)) - self.low) / (self.high - self.low), 2)


def axis(*reports: Report) -> Axis:
    """An axis that holds every interval: short where all are near guessing, so that they can be told apart."""
    sides = [side for report in reports for f in report.findings for side in (f.metrics, f.baseline, f.control)]
    return _axis([numbers["auc"] for numbers in sides if "auc" in numbers])


def _axis(aucs: Sequence[Estimate]) -> Axis:
    return Axis(*ends(aucs))


def ends(shown: Sequence[Estimate]) -> tuple[float, float]:
    """The ends of an axis from 0 to 1, in tenths, that holds all intervals and what guessing reaches."""
    highest, lowest = (max((e.high for e in shown), default=1.0), min((e.low for e in shown), default=0.4))
    tenths = [n / 10 for n in range(11)]
    return max(v for v in tenths if v <= min(lowest, 0.4)), min(v for v in tenths if v >= max(highest, 0.6))


@dataclass(frozen=True)
class Bar:
    """An interval on an axis, in percent of its width."""

    kind: str
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cell:
    """A number with its interval, or why there is none."""

    value: str = ""
    interval: str = ""
    note: str = ""
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """A finding in the table of what was measured."""

    finding: Finding
    name: str
    variant: str
    auc: Cell
    bars: tuple[Bar, ...]
    sides: tuple[tuple[str, str], ...]
    rates: tuple[tuple[str, Cell], ...]
    epsilon: Cell
    p: str
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Group:
    """One group of people in one finding."""

    slice: Slice
    members: str
    nonmembers: str
    auc: Cell
    bars: tuple[Bar, ...]
    rate: Cell


@dataclass(frozen=True)
class Grouping:
    """The groups of one column: of the headline finding in full, of the others in short."""

    column: str
    axis: Axis
    finding: Finding
    groups: tuple[Group, ...]
    left_out: int
    others: tuple[tuple[Finding, tuple[Group, ...]], ...] = ()


@dataclass
class Footnotes:
    """Each distinct text once, with its letter."""

    texts: dict[str, str] = field(default_factory=dict)

    def mark(self, text: str) -> str:
        """The letter of a text: a, b, …, z, aa, ab and so on."""
        if text not in self.texts:
            first, second = divmod(len(self.texts), 26)
            self.texts[text] = (chr(96 + first) if first else "") + chr(97 + second)
        return self.texts[text]


def bars(finding: Finding | Slice, on: Axis, metric: str = "auc") -> tuple[Bar, ...]:
    """A metric of attack, baseline and control, as far as there are any."""
    sides = [("attack", finding.metrics)]
    if isinstance(finding, Finding):
        sides += [("baseline", finding.baseline), ("control", finding.control)]
    return tuple(bar(kind, numbers[metric], on) for kind, numbers in sides if metric in numbers)


def bar(kind: str, shown: Estimate, on: Axis) -> Bar:
    """An estimate on an axis."""
    return Bar(kind, *(on.place(v) for v in (shown.value, shown.low, shown.high)))


def cell(numbers: Mapping[str, Estimate], name: str) -> Cell:
    """A metric's cell; empty where it was not measured."""
    if name not in numbers:
        return Cell()
    return Cell(words.metric_value(name, numbers[name]), words.metric_interval(name, numbers[name]))


def rows(report: Report, notes: Footnotes, on: Axis) -> list[Row]:
    """Findings measured by their AUC or refused it, strongest first."""
    return [row(f, notes, on) for f in _measured(report) if _ranked(f)]


def checks(report: Report, notes: Footnotes, on: Axis) -> list[Row]:
    """Findings measured in other numbers."""
    return [row(f, notes, on) for f in _measured(report) if not _ranked(f)]


def unmeasured(report: Report) -> list[Finding]:
    """Findings without a measurement, each with its reason."""
    return [f for f in words.general(report.findings) if f.outcome not in words.MEASURED]


def _measured(report: Report) -> list[Finding]:
    return [f for f in words.by_strength(words.general(report.findings)) if f.outcome in words.MEASURED]


def _ranked(finding: Finding) -> bool:
    return "auc" in finding.metrics or not finding.metrics


def row(finding: Finding, notes: Footnotes, on: Axis) -> Row:
    """A finding as the table shows it."""
    name, variant = words.split_id(finding.id)
    shown = {"auc", "epsilon_lower_bound", *words.TPRS}
    sides = (("baseline", finding.baseline), ("control", finding.control))
    return Row(
        finding=finding,
        name=name,
        variant=variant,
        auc=_refusable(finding, "auc", notes),
        bars=bars(finding, on),
        sides=tuple((side, words.metric_text("auc", numbers["auc"])) for side, numbers in sides if "auc" in numbers),
        rates=tuple((text, _refusable(finding, rate, notes)) for rate, text in words.TPRS.items()),
        epsilon=_refusable(finding, "epsilon_lower_bound", notes),
        p=words.p_text(finding.adjusted_p_value),
        more=tuple(
            (label, words.metric_text(key, value))
            for side, numbers in (("", finding.metrics), *sides)
            for key, value in words.ordered(numbers, words.METRICS)
            if key not in (shown if not side else {"auc"})
            for label in [f"{side} {words.metric_label(key)}".strip()]
        ),
    )


def _refusable(finding: Finding, name: str, notes: Footnotes) -> Cell:
    if name in finding.metrics:
        return cell(finding.metrics, name)
    if name not in finding.refused:
        return Cell(note="not measured")
    text = f"{words.metric_label(name)}: {finding.refused[name]}"
    return Cell(note=f"refused: {finding.refused[name]}", mark=notes.mark(text))


def groupings(report: Report) -> list[Grouping]:
    """Results within groups, column by column; the finding with most to say first."""
    worst = words.headline(report)
    ranked = [f for f in words.by_strength(words.general(report.findings)) if f.slices]
    ranked.sort(key=lambda f: worst is None or f.id != worst.id)
    on = _axis([s.metrics["auc"] for f in ranked for s in f.slices if "auc" in s.metrics])
    columns = dict.fromkeys(s.column for f in ranked for s in f.slices)
    made = []
    for column in columns:
        found = [(f, [_group(s, on) for s in f.slices if s.column == column]) for f in ranked]
        found = [(f, groups) for f, groups in found if groups]
        first, groups = found[0]
        others = tuple((f, _telling(rest)) for f, rest in found[1:])
        made.append(Grouping(column, on, first, tuple(groups[:MOST_GROUPS]), len(groups[MOST_GROUPS:]), others))
    return made


def _telling(groups: list[Group]) -> tuple[Group, ...]:
    """The groups with the highest AUC, as many as fit."""
    measured = [g for g in groups if "auc" in g.slice.metrics]
    return tuple(sorted(measured, key=lambda g: -g.slice.metrics["auc"].value)[:FEWER_GROUPS])


def _group(part: Slice, on: Axis) -> Group:
    rate = next((name for name in words.TPRS if name in part.metrics), "")
    return Group(
        part,
        words.people(part.members),
        words.people(part.nonmembers),
        cell(part.metrics, "auc"),
        bars(part, on),
        cell(part.metrics, rate),
    )


def exposed_groups(exposure: Exposure) -> list[tuple[str, list[ExposedGroup]]]:
    """Risk within groups, column by column."""
    columns = dict.fromkeys(group.column for group in exposure.groups)
    return [(column, [group for group in exposure.groups if group.column == column]) for column in columns]


def coverage(report: Report) -> list[Coverage]:
    """Every family that there is, also those that the report does not speak of."""
    missing = {name: Coverage(name, "not_implemented", "this report says nothing about it") for name in FAMILIES}
    return [part for _, part in words.ordered({**missing, **report.coverage}, FAMILIES)]


def check_result(check: Check) -> str:
    """A word for how a test of the instrument went."""
    return {True: "passed", False: "failed", None: "not done"}[check.passed]


def facts(report: Report) -> list[tuple[str, str]]:
    """The audit at a glance."""
    sample = report.sample
    families = [part for part in coverage(report) if part.status == "executed"]
    measured = sum(f.outcome in words.MEASURED for f in report.findings)
    passed = sum(check.passed is True for check in report.instrument.values())
    told = [
        ("Model", words.model_name(report)),
        ("The attacker sees", str(report.target.get("access") or "not told")),
        *_sides(sample),
        ("Attacks measured", f"{measured} of {len(report.findings)}"),
        ("Families tested", f"{len(families)} of {len(coverage(report))}"),
        ("Instrument checks", f"{passed} of {len(report.instrument)} passed" if report.instrument else "none"),
    ]
    return [(name, text) for name, text in told if text]


def _sides(sample: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How many were trained on and how many were not: of people, or of documents and secrets."""
    kinds = {"People": ("members", "nonmembers")}
    if "documents_in" in sample or "secrets_in" in sample:
        kinds = {"Documents": ("documents_in", "documents_out"), "Secrets": ("secrets_in", "secrets_out")}
    return [
        (name, f"{sample[inside]:,} in, {sample[outside]:,} out")
        for name, (inside, outside) in kinds.items()
        if {inside, outside} <= {*sample}
    ]


@dataclass(frozen=True)
class Dots:
    """100 people accused: how many of them really are members."""

    label: str
    right: int
    interval: str


def dots(report: Report) -> list[Dots]:
    """With the model and without: how many of 100 accusations are right."""
    worst = words.headline(report)
    right = worst.metrics.get("precision") if worst else None
    if right is None:
        return []
    interval = f"{100 * right.low:.0f} to {100 * right.high:.0f}"
    shown = [Dots("With this model", round(100 * right.value), interval)]
    prior = report.settings.get("prior")
    if isinstance(prior, (int, float)) and 0 < prior < 1:
        shown.append(Dots("By guessing", round(100 * prior), ""))
    return shown


def flat(mapping: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as a list of names and texts."""
    found: list[tuple[str, str]] = []
    for name, value in sorted(mapping.items()):
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found += flat(value, f"{key}.")
        elif isinstance(value, (list, tuple)):
            found.append((key, ", ".join(str(item) for item in value) or "none"))
        else:
            found.append((key, "none" if value is None or value == "" else str(value)))
    return found


def link(reference: str) -> str:
    """Address of a paper, or an empty text."""
    found = re.fullmatch(r"(?i)(arxiv|doi):\s*(\S+)", reference.strip())
    if not found:
        return ""
    host = {"arxiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}[found[1].lower()]
    return host + quote(found[2], safe="/.()-_:;")


def outcome_class(outcome: Outcome | str) -> str:
    """Name of an outcome in the style sheet."""
    return str(outcome).replace("_", "-")


def attacks_line(part: Coverage) -> Sequence[tuple[str, Sequence[str]]]:
    """Attacks of a family by what became of them."""
    by_status: dict[str, list[str]] = {}
    for played in part.attacks:
        by_status.setdefault(words.STATUSES.get(played.status, played.status), []).append(played.id.split("/", 1)[-1])
    return list(by_status.items())
