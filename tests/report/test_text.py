import io
from dataclasses import replace

import pytest
from rich.console import Console

from keepmum.findings import Outcome
from keepmum.report import Report
from keepmum.report._text import comparison_table, print_report
from keepmum.report._words import OUTCOMES


def printed(report: Report, width: int = 80, **options) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_report(report, console)
    return console.file.getvalue()


def flat(text: str) -> str:
    return " ".join(text.split())


def test_everything_fits_eighty_columns(leaky, tight):
    for report in (leaky, tight):
        assert max(map(len, printed(report).splitlines())) <= 80


def test_verdict_then_findings_then_instrument_then_coverage_then_what_next(leaky):
    text = flat(printed(leaky))
    parts = [leaky.verdict, "of 100 people accused", "attack outcome AUC", "Instrument", "Coverage", "Next"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert text.startswith("LEAK")
    assert text.endswith("Evidence, not a certificate.")


def test_every_finding_and_reason_is_there(leaky):
    text = flat(printed(leaky, width=300))
    for finding in leaky.findings:
        assert finding.id.split("/")[1].split(":")[0].replace("-", " ") in text.replace("-", " ")
        assert finding.reason in text
        assert OUTCOMES[finding.outcome] in text
    auc = leaky["membership/loss"].metrics["auc"]
    assert f"{auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]" in text
    assert f"{leaky['membership/loss'].baseline['auc'].value:.3f}" in text
    assert f"{leaky['membership/loss'].control['auc'].value:.3f}" in text


def test_who_is_most_exposed_takes_a_line(leaky, tight):
    assert f"Most exposed {leaky.exposure.explanation}" in flat(printed(leaky))
    assert "Most exposed not told: the shadow models are not like the target." in flat(printed(tight))
    assert "Most exposed" not in printed(replace(leaky, exposure=None))


def test_sense_needs_no_color(leaky):
    plain, colored = printed(leaky, no_color=True), printed(leaky, force_terminal=True, color_system="truecolor")
    assert "\x1b[" not in plain
    assert "\x1b[" in colored
    for word in ("LEAK", "leak", "inconclusive", "passed", "not done", "not tested"):
        assert word in plain


def test_failed_checks_say_what_was_seen(leaky):
    check = replace(leaky.instrument["blind_baseline"], passed=False, explanation="The split itself tells them apart.")
    text = flat(printed(replace(leaky, instrument={"blind_baseline": check})))
    assert "failed blind baseline: The split itself tells them apart." in text


def test_square_brackets_are_no_markup(leaky):
    bad = replace(leaky.findings[0], id="membership/[red]x[/red]", explanation="[bold]y", reason="")
    text = flat(printed(replace(leaky, findings=(bad,), verdict="[link=x]z")))
    assert "[red]x[/red]" in text
    assert "[link=x]z" in text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_an_empty_report_of_any_outcome_prints(outcome):
    assert "Next" in printed(Report(outcome, "", (), {}, {}))


def test_models_side_by_side(leaky, tight):
    console = Console(file=io.StringIO(), width=80)
    console.print(comparison_table([("leaky", leaky), ("tight", tight)]))
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    rows = [line for line in text.splitlines() if line.startswith("loss ")]
    assert len(rows) == 2
    for row, report in zip(rows, (leaky, tight), strict=True):
        assert f"{report['membership/loss'].metrics['auc'].value:.3f}" in row
        assert OUTCOMES[report["membership/loss"].outcome] in row
