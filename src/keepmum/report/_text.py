"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from keepmum.findings import Finding, Outcome
from keepmum.report import _hidden, _looks, _recited
from keepmum.report import _words as words
from keepmum.report._report import Report
from keepmum.report._view import check_result, coverage
from keepmum.stats import Estimate

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {
    Outcome.LEAK: "bold red",
    Outcome.INCONCLUSIVE: "yellow",
    Outcome.ERROR: "yellow",
    Outcome.NO_LEAK_FOUND: "cyan",
}
BADGES = {Outcome.LEAK: "LEAK", Outcome.NO_LEAK_FOUND: "NO LEAK FOUND"}
NEXT = {
    Outcome.LEAK: (
        "Hold defenses against each other with keepmum harden: more people, larger leaves or private training may do; "
        "rounded scores hide little from who knows of them. Then audit again."
    ),
    Outcome.NO_LEAK_FOUND: "Read under Coverage what was not tested before you rely on this.",
    Outcome.INCONCLUSIVE: "Fix what the reason names (a fair random split, or more people) and audit again.",
}
NEXT_TEXTS = (
    "De-duplicate and scrub what the worklist names, stop training earlier or train with differential privacy, and "
    "audit again."
)
"""What to do about a language model that gives text away."""


def print_report(report: Report, console: Console) -> None:
    """Verdict, what was measured, instrument, coverage, and what to do next, in 80 columns; sense needs no color."""
    from rich.text import Text

    sentence, meaning = words.consequence(report)
    style = STYLES.get(report.outcome, "")
    badge = BADGES.get(report.outcome, words.OUTCOMES[report.outcome].upper())
    console.print(Text.assemble((badge, style), "  ", (sentence, "bold")))
    if meaning:
        console.print(Text(meaning))
    console.print()
    _print_tables(report, console)
    if words.exposure_line(report):
        console.print(Text.assemble(("Most exposed  ", "bold"), words.exposure_line(report)))
        console.print()
    _print_hidden(report, console)
    _print_looks(report, console)
    _print_recited(report, console)
    _print_pairs(console, "Instrument", _instrument(report))
    _print_pairs(console, "Coverage", _coverage(report))
    recites = any(f.family == words.EXTRACTION and f.outcome is Outcome.LEAK for f in report.findings)
    advice = NEXT_TEXTS if recites else NEXT.get(report.outcome, NEXT[Outcome.INCONCLUSIVE])
    console.print(Text.assemble(("Next  ", "bold"), advice))
    console.print(Text("Evidence, not a certificate.", style="dim"))


def _print_tables(report: Report, console: Console) -> None:
    from rich.text import Text

    findings = words.general(report.findings)
    measured = [f for f in words.by_strength(findings) if f.outcome in words.MEASURED]
    ranked = [f for f in measured if "auc" in f.metrics]
    if ranked:
        console.print(findings_table(ranked))
        console.print(Text(f"found: share of members found at {_rate(ranked)[1]} false alarms.", style="dim"))
        console.print()
    for finding in [f for f in measured if f not in ranked]:
        console.print(_line(finding, finding.reason or finding.explanation))
    for finding in findings:
        if finding.outcome not in words.MEASURED:
            console.print(_line(finding, finding.reason))
    if len(ranked) < len(findings):
        console.print()


def _print_hidden(report: Report, console: Console) -> None:
    """Of each hidden attribute its verdict, what that means, and every attack on it."""
    from rich.text import Text

    _, quoted = words.consequence(report)
    for part in _hidden.parts(report):
        style = STYLES.get(part.outcome, "dim")
        told = [part.sentence] if part.sentence not in ("", quoted) else []
        console.print(Text.assemble((f"Hidden: {part.name}", "bold"), "  ", (part.said, style)))
        console.print(Text(" ".join([*told, part.meaning])))
        if part.rows or part.aside:
            console.print(attribute_table(part))
        for row in part.aside:
            said = "reads it off the answer about the true record, of whomever: no leakage of training data."
            console.print(Text(f"* {row.name} {said}", style="dim"))
        for finding in part.missing:
            console.print(_line(finding, finding.reason))
        console.print()


def _print_looks(report: Report, console: Console) -> None:
    """What was reconstructed: verdict, what that means, and every attack; why others were not measured, once."""
    from rich.text import Text

    part, (_, quoted) = _looks.part(report), words.consequence(report)
    if part.tables:
        told = [part.sentence] if part.sentence not in ("", quoted) else []
        said = (part.said, STYLES.get(part.outcome, "dim"))
        console.print(Text.assemble(("What they look like", "bold"), "  ", said))
        console.print(Text(" ".join([*told, part.meaning])))
    for table in part.tables:
        console.print(looks_table(table))
    for row in part.fooled:
        console.print(Text(f"{row.name}: {_looks.FOOLED}.", style="yellow"))
    for reason, outcome, names in part.missing:
        console.print(
            Text.assemble((", ".join(names), "bold"), "  ", (outcome, "dim"), f": {reason}" if reason else "")
        )
    if part.tables or part.missing:
        console.print()


def _print_recited(report: Report, console: Console) -> None:
    """What text came out: verdict, what that means, every attack, and by how often secrets stood in the data."""
    from rich.text import Text

    part, (_, quoted) = _recited.part(report), words.consequence(report)
    if part.rows:
        told = [part.sentence] if part.sentence not in ("", quoted) else []
        said = (part.said, STYLES.get(part.outcome, "dim"))
        console.print(Text.assemble(("What text comes out", "bold"), "  ", said))
        console.print(Text(" ".join([*told, part.meaning])))
        console.print(recited_table(part))
        for steps in part.steps:
            console.print(steps_table(steps))
    for reason, outcome, names in part.missing:
        console.print(
            Text.assemble((", ".join(names), "bold"), "  ", (outcome, "dim"), f": {reason}" if reason else "")
        )
    if part.rows or part.missing:
        console.print()


def recited_table(part: _recited.Part) -> Table:
    """Attacks on secrets: what came out of the planted, what of their twins, and how well they are told apart."""
    made = _table("attack", "verdict", "came out [95 %]", "never\ntrained", "AUC", "bits")
    for row in part.rows:
        f = row.finding
        out = f"{row.out.value} [{row.out.interval.replace(' to ', ', ')}]" if row.out.interval else row.out.value
        verdict = _styled(f.verdict or words.OUTCOMES[f.outcome], f.outcome)
        name = _plain(" ".join(filter(None, (row.name, row.variant))))
        cells = (cell.value or "-" for cell in (row.twins, row.auc, row.bits))
        made.add_row(name, verdict, _plain(out or "-"), *cells)
    return made


def steps_table(steps: _recited.Steps) -> Table:
    """The same by how often a secret stood in the training data."""
    what = "came out" if steps.metric == "extracted" else "exposure, bits"
    made = _table(what, *(f"{value} x" for value in steps.repeats), "never")
    for name, cells, twins in steps.rows:
        made.add_row(_plain(name), *(cell.value or "-" for cell in cells), twins.value or "-")
    return made


def looks_table(table: _looks.Table) -> Table:
    """What attacks made: how much like people it was trained on, like people it never saw, and without a search."""
    shown, metric = table.kind is _looks.PICTURES, table.kind.metric
    head = f"{'recovered' if table.kind is _looks.ROWS else 'resembles'} [95 %]"
    made = _table("attack", "verdict", head, "no\nsearch", "never\nsaw", *(["named"] if shown else []))
    for row in table.rows:
        f = row.finding
        sides = [
            words.metric_value(metric, side[metric]) if metric in side else "-" for side in (f.baseline, f.control)
        ]
        value = words.metric_text(metric, f.metrics[metric]) if metric in f.metrics else "-"
        named = [words.metric_value("identified", f.metrics["identified"])] if shown else []
        verdict = _styled(f.verdict or words.OUTCOMES[f.outcome], f.outcome)
        made.add_row(_plain(row.name), verdict, _plain(value), *sides, *named)
    return made


def attribute_table(part: _hidden.Part) -> Table:
    """Attacks on a hidden attribute: on the people at risk, by the best imputation, on people it never saw."""
    strength = "close enough [95 %]" if part.metric == "within_tolerance" else "AUC [95 %]"
    table = _table("attack", "verdict", strength, "imputed", "never\nsaw", *([] if _number(part) else ["right"]))
    for row in (*part.rows, *part.aside):
        f = row.finding
        value = words.metric_text(part.metric, f.metrics[part.metric]) if part.metric in f.metrics else "-"
        sides = [
            words.metric_value(part.metric, side[part.metric]) if part.metric in side else "-"
            for side in (f.baseline, f.control)
        ]
        right = [] if _number(part) else [row.right[0][1].value if row.right else "-"]
        name = _plain(f"{row.name} *" if row in part.aside else row.name)
        verdict = f.verdict or words.OUTCOMES[f.outcome]
        table.add_row(name, _styled(verdict, f.outcome), _plain(value), *sides, *right)
    return table


def _number(part: _hidden.Part) -> bool:
    """Whether the attribute is a number, of which the share guessed right is the strength itself."""
    return part.metric == "within_tolerance"


def _line(finding: Finding, said: str) -> Text:
    from rich.text import Text

    outcome = (words.said(finding), STYLES.get(finding.outcome, "dim"))
    return Text.assemble((finding.id, "bold"), "  ", outcome, f": {said}" if said else "")


def findings_table(findings: Sequence[Finding]) -> Table:
    """Attacks with AUC, baseline and control, and the share of members found at a low rate of false alarms."""
    table = _table("attack", "outcome", "AUC [95 %]", "base", "control", "found")
    rate, _ = _rate(findings)
    for finding in findings:
        numbers = [_area(side) for side in (finding.baseline, finding.control)]
        found = words.metric_value(rate, finding.metrics[rate]) if rate in finding.metrics else "refused"
        area = words.metric_text("auc", finding.metrics["auc"])
        table.add_row(*_named(finding), _plain(area), *numbers, found)
    return table


def comparison_table(named: Sequence[tuple[str, Report]]) -> Table:
    """Every attack on every model: outcome, AUC with interval, baseline and control."""
    table = _table("attack", "model", "outcome", "AUC [95 %]", "base", "control")
    ids = dict.fromkeys(f.id for _, report in named for f in words.by_strength(report.findings) if "auc" in f.metrics)
    for attack in ids:
        for name, report in named:
            for finding in (f for f in report.findings if f.id == attack and "auc" in f.metrics):
                label, outcome = _named(finding)
                numbers = [_area(side) for side in (finding.baseline, finding.control)]
                area = words.metric_text("auc", finding.metrics["auc"])
                table.add_row(label, _plain(name), outcome, _plain(area), *numbers)
    return table


def _table(*columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for column in columns:
        left = column in ("attack", "model", "outcome", "verdict")
        least = len("population-level") if column == "verdict" else None
        side: Literal["left", "right"] = "left" if left else "right"
        table.add_column(_plain(column), justify=side, no_wrap=not left, overflow="fold", min_width=least)
    return table


def _named(finding: Finding) -> tuple[Text, Text]:
    from rich.text import Text

    technique, variant = words.split_id(finding.id)
    name = Text(f"{technique}, {variant}" if variant else technique)
    return name, _styled(words.OUTCOMES[finding.outcome], finding.outcome)


def _styled(text: str, outcome: Outcome) -> Text:
    from rich.text import Text

    return Text(text, style=STYLES.get(outcome, "dim"))


def _plain(text: str) -> Text:
    """Text in which square brackets are no markup."""
    from rich.text import Text

    return Text(text)


def _area(side: Mapping[str, Estimate]) -> str:
    return words.number(side["auc"].value) if "auc" in side else "-"


def _rate(findings: Sequence[Finding]) -> tuple[str, str]:
    """The rate that the plain sentence speaks of: 1 %, or 10 % where no finding resolves that."""
    name = "tpr_at_fpr_0.01" if any("tpr_at_fpr_0.01" in f.metrics for f in findings) else "tpr_at_fpr_0.1"
    return name, words.TPRS[name]


def _instrument(report: Report) -> list[tuple[str, str, str]]:
    if not report.instrument:
        return [("not checked", "yellow", "")]
    styles = {"passed": "cyan", "failed": "bold red", "not done": "dim"}
    return [
        (result, styles[result], f"{name.replace('_', ' ')}{'' if check.passed else ': ' + words.seen(check)}")
        for name, check in words.ordered(report.instrument, words.CHECKS)
        for result in [check_result(check)]
    ]


def _coverage(report: Report) -> list[tuple[str, str, str]]:
    styles = {"executed": "cyan", "failed": "bold red"}
    return [
        (
            words.STATUSES.get(part.status, part.status),
            styles.get(part.status, "dim"),
            f"{part.family}{': ' * bool(part.reason)}{part.reason}",
        )
        for part in coverage(report)
    ]


def _print_pairs(console: Console, title: str, rows: list[tuple[str, str, str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=max(len(title), *(len(result) for result, _, _ in rows)), no_wrap=True)
    table.add_column()
    table.add_row(Text(title, style="bold"), "")
    for result, style, text in rows:
        table.add_row(Text(result, style=style), Text(text))
    console.print(table)
    console.print()
