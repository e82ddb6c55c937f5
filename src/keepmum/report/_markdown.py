"""Markdown, for step summaries and pull requests."""

from __future__ import annotations

import re

from keepmum.findings import FAMILIES, Finding
from keepmum.report import _hidden, _looks, _recited, _view
from keepmum.report._report import Report
from keepmum.report._words import (
    CHECKS,
    EVIDENCE,
    MEASURED,
    OUTCOMES,
    STATUSES,
    TPRS,
    by_strength,
    consequence,
    exposure_line,
    family_question,
    general,
    metric_text,
    ordered,
    p_text,
    said,
    seen,
)

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(report: Report) -> str:
    """The verdict, what was measured, the instrument check, coverage and limits."""
    sentence, meaning = consequence(report)
    lines = [f"## keepmum: {OUTCOMES[report.outcome]}", "", f"**{_text(sentence)}**", ""]
    lines += [_text(meaning), ""] if meaning else []
    return (
        "\n".join(
            [
                *(
                    *lines,
                    *_measured(report),
                    *_exposure(report),
                    *_attributes(report),
                    *_inverted(report),
                    *_texts(report),
                ),
                *(*_instrument(report), *_coverage(report), *_limits(report)),
            ]
        )
        + "\n"
    )


def _measured(report: Report) -> list[str]:
    findings = [f for f in by_strength(general(report.findings)) if f.outcome in MEASURED]
    if not findings:
        return ["No attack was measured.", ""]
    head = [
        "attack",
        "outcome",
        "AUC",
        "baseline",
        "control",
        *(f"TPR at {fpr} FPR" for fpr in TPRS.values()),
        "adj. p",
    ]
    rows = [_row(head), _row(["---"] * len(head))]
    rows += [
        _row([_text(finding.id), said(finding), *_numbers(finding), p_text(finding.adjusted_p_value)])
        for finding in findings
    ]
    return ["### What was measured", "", *rows, ""]


def _numbers(finding: Finding) -> list[str]:
    sides = [finding.metrics, finding.baseline, finding.control]
    aucs = [metric_text("auc", side["auc"]) if "auc" in side else "–" for side in sides]
    rates = [
        metric_text(name, finding.metrics[name]) if name in finding.metrics else _text(finding.refused.get(name, "–"))
        for name in TPRS
    ]
    return [*aucs, *rates]


def _exposure(report: Report) -> list[str]:
    line = exposure_line(report)
    return [f"**Who is most exposed.** {_text(line)}", ""] if line else []


def _attributes(report: Report) -> list[str]:
    lines = []
    for part in _hidden.parts(report):
        lines += [f"### Hidden attribute: {_text(part.name)} ({_text(part.said)})", ""]
        lines += [_text(f"{part.sentence} {part.meaning}"), ""]
        strength = "close enough" if part.metric == "within_tolerance" else "AUC"
        head = ["attack", "verdict", strength, "imputation", "never saw", "beyond imputation", "beyond never saw"]
        rows = [_row([*head, "adj. p"]), _row(["---"] * (len(head) + 1))]
        rows += [_attack(row, part.metric) for row in (*part.rows, *part.aside)]
        lines += [*rows, ""] if len(rows) > 2 else []
        names = ", ".join(row.name for row in part.aside)
        lines += [
            f"{_text(names)}: read off the answer about the true record; no leakage of training data.",
            "",
        ] * bool(names)
    return lines


def _attack(row: _hidden.Row, metric: str) -> str:
    sides = (row.finding.metrics, row.finding.baseline, row.finding.control)
    numbers = [metric_text(metric, side[metric]) if metric in side else "–" for side in sides]
    gains = [f"{gain.value} {gain.interval}" if gain.value else "–" for _, _, gain in row.beyond]
    return _row([_text(row.name), said(row.finding), *numbers, *gains, row.p or "–"])


def _inverted(report: Report) -> list[str]:
    part = _looks.part(report)
    if not part.tables:
        return []
    lines = [f"### What the trained people look like ({_text(part.said)})", ""]
    lines += [_text(f"{part.sentence} {part.meaning}"), ""]
    for table in part.tables:
        beside = [" ".join(filter(None, (column.label, column.under))) for column in table.rows[0].columns]
        head = ["attack", "verdict", table.kind.label, *_looks.SIDES[1:], *beside, "adj. p"]
        lines += [_row(head), _row(["---"] * len(head)), *(_made(row, table.kind.metric) for row in table.rows), ""]
    lines += [f"- {_text(row.name)}: {_looks.FOOLED}." for row in part.fooled]
    return [*lines, ""] if part.fooled else lines


def _made(row: _looks.Row, metric: str) -> str:
    sides = (row.finding.metrics, row.finding.baseline, row.finding.control)
    numbers = [metric_text(metric, side[metric]) if metric in side else "–" for side in sides]
    beside = [_text("; ".join(filter(None, (column.value or "–", *column.below)))) for column in row.columns]
    return _row([_text(row.name), said(row.finding), *numbers, *beside, row.p or "–"])


def _texts(report: Report) -> list[str]:
    part = _recited.part(report)
    if not part.rows:
        return []
    lines = [f"### What text comes out ({_text(part.said)})", ""]
    lines += [_text(f"{part.sentence} {part.meaning}"), ""]
    head = ["attack", "verdict", "came out", "never trained on", "AUC", "exposure, bits", "adj. p"]
    lines += [_row(head), _row(["---"] * len(head))]
    for row in part.rows:
        cells = [f"{cell.value} [{cell.interval}]" if cell.interval else cell.value or "–" for cell in _cells(row)]
        name = " ".join(filter(None, (row.name, row.variant)))
        lines.append(_row([_text(name), said(row.finding), *cells, row.p or "–"]))
    return [*lines, ""]


def _cells(row: _recited.Row) -> tuple[_view.Cell, ...]:
    return row.out, row.twins, row.auc, row.bits


def _instrument(report: Report) -> list[str]:
    words = {True: "passed", False: "**failed**", None: "not done"}
    rows = [
        _row([_text(CHECKS.get(name, name)), words[check.passed], _text(seen(check))])
        for name, check in ordered(report.instrument, CHECKS)
    ]
    return (
        ["### Instrument check", "", _row(["check", "result", "what was seen"]), _row(["---"] * 3), *rows, ""]
        if rows
        else []
    )


def _coverage(report: Report) -> list[str]:
    rows = [
        _row([name, family_question(name), STATUSES.get(part.status, _text(part.status)), _text(part.reason)])
        for name, part in ordered(report.coverage, FAMILIES)
    ]
    head = [_row(["family", "question", "status", "why"]), _row(["---"] * 4)]
    missed = [f for f in report.findings if f.outcome not in MEASURED]
    not_run = [f"- {_text(f.id)}: {OUTCOMES[f.outcome]}. {_text(f.reason)}" for f in missed]
    return ["### What was tested, and what was not", "", *(head + rows if rows else []), "", *not_run, ""]


def _limits(report: Report) -> list[str]:
    return ["### Limits", "", *(f"- {_text(limit)}" for limit in report.limits), f"- {EVIDENCE}"]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _text(text: str) -> str:
    """One line in which nothing is markup."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
