"""What a report tells of text that came out of a language model, worked out for every rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepmum.findings import EXTRACTABLE, MEMORIZED, NO_EVIDENCE, Finding, Slice, Trend
from keepmum.report import _view as view
from keepmum.report import _words as words
from keepmum.report._report import Report
from keepmum.report._told import Told, by_verdict, everything
from keepmum.stats import Estimate

ORDER = (EXTRACTABLE, MEMORIZED, NO_EVIDENCE)
SIDES = ("trained on", "by chance", "never trained on")
BITS = "exposure"
"""Metric of attacks that rank a secret among all that it might have been: bits."""


@dataclass(frozen=True)
class Row:
    """An attack as its table shows it.

    Attributes:
      finding: The attack.
      name: Technique.
      variant: How much the attacker knows, where that varies.
      out: Share of the planted secrets that came out.
      twins: The same of those that were never trained on.
      chance: What one guess a secret gets out without the model.
      auc: How well planted secrets are told from twins.
      bars: The three shares on one axis.
      bits: Mean exposure of the planted, where the attack ranks.
      p: Adjusted p-value.
      more: Everything measured, by name.
    """

    finding: Finding
    name: str
    variant: str
    out: view.Cell
    twins: view.Cell
    chance: str
    auc: view.Cell
    bars: tuple[view.Bar, ...]
    bits: view.Cell
    p: str
    more: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Steps:
    """What attacks got out by how often secrets stood in the training data.

    Attributes:
      metric: ``extracted`` or ``exposure``.
      repeats: How often, ascending.
      counts: Secrets of each number of repeats.
      rows: An attack each: its name, a cell for each number of repeats, and one for the twins.
    """

    metric: str
    repeats: tuple[str, ...]
    counts: tuple[int, ...]
    rows: tuple[tuple[str, tuple[view.Cell, ...], view.Cell], ...]


@dataclass(frozen=True)
class Part(Told):
    """All that came out.

    Attributes:
      rows: Attacks, the strongest first.
      axis: Where bars stand.
      steps: Tables by repeats.
      missing: Why an attack was not measured, its outcome, and all attacks of which the same is said.
    """

    rows: tuple[Row, ...]
    axis: view.Axis
    steps: tuple[Steps, ...]
    missing: tuple[tuple[str, str, tuple[str, ...]], ...]


AXIS = view.Axis(0.0, 1.0, "share that came out", None, "")


def part(report: Report) -> Part:
    """What a report tells of it."""
    asked = [f for f in report.findings if f.family == words.EXTRACTION]
    measured = by_verdict([f for f in asked if f.outcome in words.MEASURED], ORDER, ("extracted", "auc"))
    missed = [f for f in asked if f not in measured]
    groups = dict.fromkeys((f.reason, words.OUTCOMES[f.outcome]) for f in missed)
    return Part(
        strongest=measured[0] if measured else None,
        reasons=tuple(f.reason for f in missed),
        rows=tuple(row(f) for f in measured),
        axis=AXIS,
        steps=tuple(made for metric in ("extracted", BITS) if (made := steps(measured, metric)) is not None),
        missing=tuple(
            (reason, said, tuple(f.id for f in missed if (f.reason, words.OUTCOMES[f.outcome]) == (reason, said)))
            for reason, said in groups
        ),
    )


def row(finding: Finding) -> Row:
    """An attack as its table shows it."""
    name, variant = words.split_id(finding.id)
    sides: tuple[tuple[str, Mapping[str, Estimate]], ...] = tuple(
        zip(SIDES, (finding.metrics, finding.baseline, finding.control), strict=True)
    )
    chance = finding.baseline.get("extracted")
    return Row(
        finding=finding,
        name=name,
        variant=variant,
        out=view.cell(finding.metrics, "extracted"),
        twins=view.cell(finding.control, "extracted"),
        chance="" if chance is None else words.metric_value("extracted", chance),
        auc=view.cell(finding.metrics, "auc"),
        bars=view.bars(finding, AXIS, "extracted"),
        bits=view.cell(finding.metrics, BITS),
        p=words.p_text(finding.adjusted_p_value),
        more=everything(sides),
    )


def by_attack(named: Sequence[tuple[str, Report]]) -> list[tuple[str, Row, str]]:
    """Models side by side: name of a model, an attack on it, and its exposure by repeats; attack after attack."""
    found = [(name, {f.id: f for f in report.findings if f.family == words.EXTRACTION}) for name, report in named]
    ids = dict.fromkeys(i for _, mine in found for i, f in mine.items() if f.outcome in words.MEASURED)
    return [
        (name, row(mine[i]), by_repeats(mine[i]))
        for i in ids
        for name, mine in found
        if i in mine and mine[i].outcome in words.MEASURED
    ]


def by_repeats(finding: Finding) -> str:
    """Share that came out by how often secrets stood in the training data, or mean exposure where there is one."""
    metric = BITS if BITS in finding.metrics else "extracted"
    found = [s for s in finding.slices if s.column == "repeats" and metric in s.metrics]
    ordered = sorted(found, key=lambda part: (len(part.value), part.value))
    form = "{:.1f}" if metric == BITS else "{:.0%}"
    return ", ".join(f"{s.value} ×: {form.format(s.metrics[metric].value)}" for s in ordered)


def steps(measured: Sequence[Finding], metric: str) -> Steps | None:
    """The table by repeats of one metric, or None where secrets all stood equally often or nothing has the metric."""
    by_attack = [(f, [s for s in f.slices if s.column == "repeats" and metric in s.metrics]) for f in measured]
    by_attack = [(f, found) for f, found in by_attack if len(found) > 1]
    if not by_attack:
        return None
    every = [part for _, found in by_attack for part in found]
    repeats = sorted({part.value for part in every}, key=lambda value: (len(value), value))
    counts = tuple(max(part.members for part in every if part.value == value) for value in repeats)
    rows = tuple(
        (f.id.split("/", 1)[1].replace("-", " "), _cells(found, repeats, metric), view.cell(f.control, metric))
        for f, found in by_attack
    )
    return Steps(metric, tuple(repeats), counts, rows)


def _cells(found: Sequence[Slice], repeats: Sequence[str], metric: str) -> tuple[view.Cell, ...]:
    by_value = {part.value: part.metrics for part in found}
    return tuple(view.cell(by_value.get(value, {}), metric) for value in repeats)


def trends(report: Report) -> list[tuple[Finding, Trend]]:
    """What grows with an attacker's effort, attack by attack."""
    measured = [f for f in report.findings if f.family == words.EXTRACTION and f.outcome in words.MEASURED]
    return [(finding, trend) for finding in measured for trend in finding.trends]


def exposed(report: Report) -> list[Finding]:
    """Attacks that tell exposure by repeats, for the picture."""
    found = [f for f in report.findings if f.family == words.EXTRACTION and f.outcome in words.MEASURED]
    return [f for f in found if sum(BITS in s.metrics for s in f.slices if s.column == "repeats") > 1]
