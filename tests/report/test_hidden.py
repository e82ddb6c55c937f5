"""Hidden attributes in every rendering, and what they must not disturb."""

import io
import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import jsonschema
import pytest
from rich.console import Console

from keepmum.findings import (
    NOTHING_BEYOND_IMPUTATION,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Check,
    Finding,
    HiddenAttribute,
    Outcome,
)
from keepmum.policy import decide
from keepmum.report import Report, _hidden
from keepmum.report._frame import frame
from keepmum.report._html import card, render, render_comparison
from keepmum.report._json import dumps, loads, schema
from keepmum.report._junit import junit
from keepmum.report._markdown import markdown
from keepmum.report._sarif import sarif
from keepmum.report._text import print_report
from keepmum.report._told import by_verdict
from keepmum.report._words import MEASURED, PRIMARY, VERDICTS, headline
from keepmum.report.compare import Direction, compare
from keepmum.stats import Estimate

HOSTILE = "<script>alert(1)</script>\"'&[red]|"


def section(html: str, name: str) -> str:
    start = html.index(f'<section id="{name}"')
    return html[start : html.index("</section>", start)]


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def printed(report: Report, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_report(report, console)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def page(asked):
    return render(asked)


@pytest.fixture(scope="module")
def hidden(page):
    return section(page, "hidden")


def alone(*findings: Finding, attributes: tuple[HiddenAttribute, ...] = ()) -> Report:
    return Report(Outcome.NO_LEAK_FOUND, "", findings, {}, {}, attributes=attributes)


def guessed(name: str, verdict: str, low: float, p_value: float | None = 0.5, **more) -> Finding:
    strength = Estimate(low + 0.02, low, low + 0.04)
    outcome = Outcome.LEAK if verdict == RECORD_LEVEL else Outcome.NO_LEAK_FOUND
    told = {"metrics": {"attribute_auc": strength}, "p_value": p_value, "subject": "race", "verdict": verdict, **more}
    return Finding(f"attribute/{name}:race", "attribute", outcome, **told)


def test_the_sections_of_other_families_stay_as_they_are(page, leaky):
    """Membership tables, curves, dots, groups: the same with and without hidden attributes."""
    before = render(leaky)
    for name in ("measured", "curves", "groups", "exposed"):
        assert section(page, name) == section(before, name)
    banner = page[page.index('<div class="verdict') : page.index('<dl class="facts">')]
    assert banner == before[before.index('<div class="verdict') : before.index('<dl class="facts">')]


def test_the_headline_is_about_records_where_they_leak(asked, leaky):
    strong = tuple(replace(f, outcome=Outcome.LEAK) for f in asked.findings if f.family == "attribute" and f.metrics)
    assert headline(replace(leaky, findings=strong + leaky.findings)) == headline(leaky)
    weak, best = (guessed(name, RECORD_LEVEL, low) for name, low in (("weak", 0.6), ("best", 0.8)))
    assert headline(alone(weak, best)) == best
    accused = Finding("membership/x", "membership", Outcome.LEAK, metrics={"auc": Estimate(0.6, 0.55, 0.65)})
    assert headline(alone(best, accused)) == accused


def test_each_attribute_has_its_verdict_and_what_it_means(hidden, asked):
    text = plain(hidden)
    titles = re.findall(r"<h3>(.*?)</h3>", hidden, re.DOTALL)
    for title, words in zip(
        titles,
        ("marital-status leak record-level", "dose no leak found nothing beyond imputation", "race inconclusive"),
        strict=True,
    ):
        assert plain(title).strip() == words
    assert VERDICTS[RECORD_LEVEL] in text
    assert VERDICTS[NOTHING_BEYOND_IMPUTATION] in text
    assert asked["attribute/confidence-prior:marital-status"].explanation in text
    assert "Nothing can be said about it: the split leaks, not the model. AUC 0.7." in text


def test_attack_imputation_and_never_saw_stand_on_one_axis(hidden, asked):
    labels = re.findall(
        r'aria-label="(AUC of|Share guessed close enough of|share guessed close enough of) ([^"]*)"', hidden
    )
    assert len(labels) == 5
    for finding in asked.findings:
        if finding.family == "attribute" and finding.metrics and finding.p_value is not None:
            metric = "within_tolerance" if finding.subject == "dose" else "attribute_auc"
            for side in (finding.metrics, finding.baseline, finding.control):
                value = side[metric].value
                assert (f"{100 * value:.1f} %" if finding.subject == "dose" else f"{value:.3f}") in hidden
    for kind in ("attack", "baseline", "control"):
        assert hidden.count(f'<line class="{kind}"') == 6
    assert "+0.210" in hidden
    assert "[+0.302, +0.362]" in hidden


def test_bars_stand_where_the_numbers_say():
    finding = guessed("x", "", 0.58)
    (part,) = _hidden.parts(alone(finding))
    (bar,) = part.rows[0].bars
    span = part.axis.high - part.axis.low
    for at, value in ((bar.value, 0.6), (bar.low, 0.58), (bar.high, 0.62)):
        assert at == pytest.approx(100 * (value - part.axis.low) / span, abs=0.01)


def test_models_side_by_side_share_an_axis():
    one, other = (alone(guessed("x", "", low)) for low in (0.5, 0.92))
    found = dict(_hidden.by_subject([("one", one), ("other", other)]))
    axes = {part.axis for _, part in found["race"]}
    assert len(axes) == 1
    assert axes.pop().high == 1.0


def test_a_number_is_told_by_the_share_guessed_close_enough(hidden):
    dose = plain(hidden[hidden.index("<h3>dose") :])
    assert "right if off by at most 8.44" in dose
    assert "R²" in dose
    assert "dashed at 0.3: the same guess for everybody" in dose


def test_what_reads_the_true_record_is_set_apart_and_no_training_leakage(hidden, asked):
    rows = re.findall(r'<th scope="row" role="rowheader">([^<]*)', hidden)
    assert "confidence prior" in rows
    assert "output inversion" not in rows
    aside = plain(hidden[hidden.index('<p class="aside">') :])
    assert "Output inversion , no leakage of training data" in aside[:70]
    alarming = replace(asked["attribute/output-inversion:marital-status"], verdict=POPULATION_LEVEL)
    assert _hidden.parts(alone(alarming))[0].strongest is None


def test_every_imputation_is_listed_and_the_best_marked(hidden, asked):
    for attribute in asked.attributes:
        (part,) = [p for p in _hidden.parts(asked) if p.name == attribute.name]
        assert [i.name for i in part.imputed if i.best] == [attribute.best]
        assert len(part.imputed) == len(attribute.imputations)
    text = plain(hidden)
    assert "best single column: age" in text
    assert "boosting, many people, with the label best 0.718" in text


def test_strongest_first_by_the_kind_of_leakage(asked):
    (part,) = [p for p in _hidden.parts(asked) if p.name == "marital-status"]
    assert [row.name for row in part.rows] == ["confidence prior", "lomia", "fredrikson"]
    mixed = [guessed("a", NOTHING_BEYOND_IMPUTATION, 0.9), guessed("b", POPULATION_LEVEL, 0.6)]
    assert [f.id for f in by_verdict(mixed, _hidden.ORDER, PRIMARY)] == ["attribute/b:race", "attribute/a:race"]


def test_groups_tell_attack_imputation_and_never_saw(hidden):
    text = plain(hidden)
    assert "1,512 1,508 91.0 % 86.0–96.0 70.0 % 65.0–75.0 62.0 % 57.0–67.0" in text
    assert "Holand-Netherlands fewer than 10 0" in text


def test_what_was_not_measured_stands_with_its_reason(hidden):
    assert "attribute/neuron-correlation:marital-status: not applicable: needs gradients" in plain(hidden)


def test_an_audit_without_hidden_attributes_says_how_to_ask(leaky):
    text = plain(section(render(leaky), "absent"))
    assert "Not asked: no hidden attribute was named." in text
    assert "--hidden COLUMN" in text


def test_an_attribute_that_could_not_be_asked_about_says_why():
    refused = Finding("attribute/x:race", "attribute", Outcome.NOT_APPLICABLE, reason="needs 30 people")
    for report in (alone(refused), alone(attributes=(HiddenAttribute("race", reason="needs 30 people"),))):
        for text in (plain(render(report)), " ".join(printed(report).split()), markdown(report)):
            assert "Nothing can be said about it: needs 30 people." in text
            assert "race" in text


def test_the_same_bytes_after_reading_back(asked, page):
    again = loads(dumps(asked))
    assert again == asked
    assert render(again) == page
    assert markdown(again) == markdown(asked)
    assert printed(again) == printed(asked)
    jsonschema.validate(json.loads(dumps(asked)), schema())


def test_infinite_bounds_of_imputations_come_back(asked):
    endless = {"majority": {"attribute_auc": Estimate(0.5, 0.4, math.inf)}}
    report = replace(asked, attributes=(replace(asked.attributes[0], imputations=endless),))
    assert loads(dumps(report)) == report


def test_a_report_of_before_has_no_attributes(leaky):
    data = json.loads(dumps(leaky))
    del data["attributes"]
    for finding in data["findings"]:
        del finding["subject"], finding["verdict"]
    assert loads(json.dumps(data)) == leaky


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_tells_the_same_in_its_width(asked, width):
    text = printed(asked, width)
    assert max(map(len, text.splitlines())) <= width
    flat = " ".join(text.split())
    for words in (
        "Hidden: marital-status leak, record-level",
        "0.928 [0.908, 0.948] 0.718 0.596 91.0 %",
        "Hidden: dose no leak found, nothing beyond imputation",
        "42.0 % [40.0, 44.0] 44.0 % 41.0 %",
        "Hidden: race inconclusive",
        "no leakage of training data",
        VERDICTS[RECORD_LEVEL],
    ):
        assert words in flat
    membership = text[: text.index("Hidden:")]
    assert "attribute/" not in membership
    assert "confidence prior" not in membership


def test_the_card_names_each_attribute_with_its_verdict(asked):
    text = plain(card(asked))
    assert "Hidden: marital-status , leak, record-level." in text
    assert "Hidden: race , inconclusive." in text
    assert "Hidden:" not in plain(card(replace(asked, findings=(), attributes=())))


def test_markdown_has_a_whole_table_an_attribute(asked, leaky):
    text = markdown(asked)
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}) == 1
    assert "### Hidden attribute: marital-status (leak, record-level)" in text
    assert "| 0.928 [0.908, 0.948] | 0.718 [0.698, 0.738] | 0.596 [0.576, 0.616] |" in text
    before = markdown(leaky)
    assert text.split("### Hidden")[0] == before.split("### Instrument")[0]


def test_code_scanning_and_dashboards_name_attribute_and_kind(asked):
    name = "attribute/confidence-prior:marital-status"
    results = json.loads(sarif(asked))["runs"][0]["results"]
    (leak,) = [r for r in results if r["ruleId"] == name]
    assert leak["level"] == "error"
    assert leak["properties"] == {"subject": "marital-status", "verdict": RECORD_LEVEL}
    assert "0.928 [0.908, 0.948]" in leak["message"]["text"]
    assert "attribute/output-inversion:marital-status" not in {r["ruleId"] for r in results}
    root = ElementTree.fromstring(junit(asked))
    failure = root.find(f".//testcase[@name='{name}']/failure")
    assert failure.get("message").startswith("leak, record-level: Of 100 people")
    assert "beyond imputation: 0.210" in failure.text


def test_the_frame_has_subject_and_verdict(asked):
    row = frame(asked).set_index("id").loc["attribute/confidence-prior:marital-status"]
    assert (row["subject"], row["verdict"]) == ("marital-status", RECORD_LEVEL)
    assert row["baseline_attribute_auc"] == 0.718
    assert row["control_attribute_auc"] == 0.596
    assert math.isnan(row["auc"])


def test_two_reports_side_by_side(asked, leaky):
    html = render_comparison([("forest", asked), ("other", asked)])
    assert html.count("Hidden attribute: ") == 3
    assert html.count("no leakage of training data") == 2
    checks = html[html.index("Checks in other numbers") :]
    assert "confidence prior" not in checks[: checks.index('<section id="curves"')]
    assert "Hidden attribute" not in render_comparison([("a", leaky), ("b", leaky)])


def test_a_weaker_attack_on_an_attribute_is_a_change_for_the_better():
    strong, weak = (alone(guessed("x", "", low)) for low in (0.9, 0.5))
    assert compare(strong, weak).direction == Direction.BETTER
    assert compare(weak, strong).direction == Direction.WORSE
    assert compare(weak, strong).statement.startswith("It got worse: 1 of 1 attack measured in both")


@pytest.mark.parametrize("metric", ["median_error", "people_per_class", "smallest_leaf"])
def test_where_less_is_more_leakage_less_is_worse(metric):
    def report(value):
        metrics = {metric: Estimate(value, value - 0.1, value + 0.1)}
        return alone(Finding("inversion/x", "inversion", Outcome.LEAK, metrics=metrics))

    assert compare(report(5), report(1)).change("inversion/x", metric).direction == Direction.WORSE
    assert compare(report(1), report(5)).change("inversion/x", metric).direction == Direction.BETTER


def test_the_picture_gets_a_panel_for_attributes(asked):
    roc, aucs, attributes = asked.plot().axes
    named = [tick.get_text() for tick in attributes.get_yticklabels()]
    assert "confidence prior, marital-status" in named
    assert "fredrikson, dose (share)" in named
    assert len(named) == sum(f.family == "attribute" and f.outcome in MEASURED for f in asked.findings)
    assert not any("marital" in tick.get_text() for tick in aucs.get_yticklabels())
    assert roc.get_xscale() == "log"


def test_limits_on_accusations_do_not_concern_attributes(asked, tight):
    found = [f for f in asked.findings if f.family == "attribute" and f.outcome is Outcome.NO_LEAK_FOUND]
    before, after = (decide(replace(tight, findings=tight.findings + more), "tre") for more in ((), tuple(found)))
    assert before.outcome == after.outcome
    assert not any(f.id in reason for f in found for reason in after.reasons)


def test_hostile_names_are_text(asked):
    finding = replace(
        guessed("x", POPULATION_LEVEL, 0.6), id=f"attribute/x:{HOSTILE}", subject=HOSTILE, explanation=HOSTILE
    )
    about = HiddenAttribute(HOSTILE, (HOSTILE,), 2, known=(HOSTILE,), members=40, nonmembers=40, column=HOSTILE)
    about = replace(about, imputations={HOSTILE: {"attribute_auc": Estimate(0.5, 0.4, 0.6)}}, best=HOSTILE)
    report = replace(asked, findings=(finding,), attributes=(about,))
    for html in (render(report), card(report), render_comparison([("a", report), ("b", report)])):
        assert "<script>alert" not in html
    assert "<script>" not in markdown(report)
    assert "[red]" in printed(report)


def test_a_reader_without_eyes_finds_the_way(page, hidden):
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert hidden.count("<table") == hidden.count("<caption")
    assert all("scope=" in tag for tag in re.findall(r"<th [^>]*>", hidden))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', hidden)) <= set(ids)
    assert all("aria-hidden" in tag or "aria-label" in tag for tag in re.findall(r"<svg [^>]*>", hidden))


def test_no_claim_that_nobody_can_make(hidden, asked):
    for text in (plain(hidden), printed(asked), *VERDICTS.values()):
        assert not re.search(r"\b(safe|anonymous|compliant)\b", text.split("Evidence")[0].lower())


def test_a_finding_in_doubt_says_no_kind_of_leakage(asked):
    power = Check("power", False, "40 people.")
    doubt = replace(
        guessed("x", "", 0.6), outcome=Outcome.INCONCLUSIVE, reason="too few people", explanation="91 of 100"
    )
    report = replace(alone(doubt), instrument={"power": power})
    (part,) = _hidden.parts(report)
    assert (part.sentence, part.said) == ("", "inconclusive")
    assert part.meaning == "Nothing can be said about it: too few people."
