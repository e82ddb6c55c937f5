"""What the trained people look like, in every rendering."""

import io
import json
import re
from dataclasses import replace
from html import unescape

import jsonschema
import pytest
from rich.console import Console

from keepmum.findings import IDENTITY_LEVEL, NOTHING_BEYOND_PRIOR, RECORD_LEVEL, Finding, Mark, Outcome
from keepmum.policy import METRICS, decide
from keepmum.report import Report, _looks, _success
from keepmum.report._html import card, render, render_comparison
from keepmum.report._json import dumps, loads, schema
from keepmum.report._markdown import markdown
from keepmum.report._text import print_report
from keepmum.report._words import VERDICTS, metric_interval, metric_label, metric_text, metric_value
from keepmum.stats import Estimate

HOSTILE = "<script>alert(1)</script>"


def section(html: str, name: str) -> str:
    start = html.index(f'<section id="{name}"')
    return html[start : html.index("</section>", start)]


def plain(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)))


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=80)
    print_report(report, console)
    return console.file.getvalue()


def alone(*findings: Finding) -> Report:
    return Report(Outcome.NO_LEAK_FOUND, "", findings, {}, {})


@pytest.fixture(scope="module")
def looked(sample):
    return sample.looked()


@pytest.fixture(scope="module")
def part(looked):
    return section(render(looked), "looks")


def test_the_other_sections_stay_as_they_are(looked, leaky):
    after, before = render(looked), render(leaky)
    for name in ("measured", "curves", "groups", "exposed"):
        assert section(after, name) == section(before, name)


def test_without_an_attack_nothing_is_claimed(leaky, tight):
    for report in (leaky, tight):
        text = plain(section(render(report), "absent"))
        assert "Not asked: no inversion attack was played." in text
        assert "What they look like" not in printed(report)
        assert "people look like" not in markdown(report)


def test_the_strongest_verdict_heads_the_section_and_is_explained(part, looked):
    head = plain(part[: part.index("</h2>")])
    assert "leak record-level" in head
    assert VERDICTS[RECORD_LEVEL] in plain(part)
    assert looked["inversion/informed-adversary"].explanation in plain(part)
    persons = alone(looked["inversion/gradient"], looked["inversion/nes"])
    text = plain(section(render(persons), "looks"))
    assert VERDICTS[IDENTITY_LEVEL] in text
    assert "leak identity-level" in text


def test_every_number_stands_with_its_interval(part, looked):
    text = plain(part)
    for finding in looked.findings:
        if finding.family == "inversion" and finding.metrics:
            for side in (finding.metrics, finding.baseline, finding.control):
                for name, estimate in side.items():
                    assert metric_text(name, estimate) in text
                    assert metric_label(name) in text


def test_trained_no_search_and_never_saw_stand_on_one_axis(looked):
    (pictures, profiles, rows) = _looks.part(looked).tables
    for table, name, count in ((pictures, "inversion/gradient", 3), (profiles, "inversion/class-profile", 3)):
        (row,) = [row for row in table.rows if row.finding.id == name]
        assert len(row.bars) == count
        values = [
            side["resemblance"].value for side in (row.finding.metrics, row.finding.baseline, row.finding.control)
        ]
        span = table.axis.high - table.axis.low
        assert [bar.value for bar in row.bars] == [
            pytest.approx(100 * (value - table.axis.low) / span, abs=0.01) for value in values
        ]
        assert all(0 <= end <= 100 for bar in row.bars for end in (bar.low, bar.high))
    assert rows.axis.high == 1.0


def test_an_axis_holds_negative_and_unbounded_intervals():
    wide = Finding(
        "inversion/x", "inversion", Outcome.NO_LEAK_FOUND, metrics={"resemblance": Estimate(-0.3, -float("inf"), 1.0)}
    )
    (table,) = _looks.part(alone(wide)).tables
    assert (table.axis.low, table.axis.high) == (-1.0, 1.0)
    assert render(alone(wide))


def test_recognizers_are_told_one_by_one_with_their_own_accuracy(part):
    judges = plain(part[part.index("Who recognizes the pictures") : part.index("<h3>Profiles")])
    for name, own in (("linear discriminant", "97.0 %"), ("support vector machine", "94.0 %")):
        assert name in judges
        assert f"its own accuracy: {own}" in judges
    assert judges.count("in its first five: 92.0 %") == 4
    assert "no search 28.0 %" in plain(part)


def test_noise_that_fools_recognizers_is_marked_and_a_likeness_is_not(part, looked):
    rows = {row.name: row.odd for table in _looks.part(looked).tables for row in table.rows}
    assert rows == {"gradient": False, "nes": True, "class profile": False, "informed adversary": False}
    assert plain(part).count(_looks.FOOLED) == 1
    assert "fools recognizers" in plain(part)
    for text in (printed(looked), markdown(looked)):
        assert re.search(r"nes: unlike any image", text)
        assert not re.search(r"gradient: unlike any image", text)
    limit = replace(looked["inversion/nes"], metrics={**looked["inversion/nes"].metrics, "prior_distance": far(2.41)})
    assert not _looks.odd(limit)
    assert not _looks.odd(replace(looked["inversion/nes"], verdict=RECORD_LEVEL))


def far(value: float) -> Estimate:
    return Estimate(value, value, value)


def test_the_attackers_own_score_is_called_no_success(part):
    text = plain(part)
    assert text.count("Own score (no success)") == 2
    assert "the attacker's own score, no success" in text


def test_of_many_attacks_that_were_not_played_the_reason_is_told_once(part, looked):
    text = plain(part)
    assert text.count("needs gradients, there are scores") == 1
    assert "inversion/cmaes, inversion/spsa: not applicable" in text
    assert printed(looked).count("needs gradients") == 1
    missing = alone(*(f for f in looked.findings if f.id in ("inversion/cmaes", "inversion/spsa")))
    text = plain(section(render(missing), "looks"))
    assert "Nothing can be said about it: needs gradients, there are scores." in text


def test_leaks_come_first_and_then_the_worse_kind(looked):
    pictures = _looks.part(alone(looked["inversion/nes"], looked["inversion/gradient"])).tables[0]
    assert [row.name for row in pictures.rows] == ["gradient", "nes"]


def test_the_terminal_tells_verdict_and_three_numbers(looked):
    text = printed(looked)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert re.search(r"What they look like +leak, record-level", text)
    assert re.search(r"gradient +identity-level +0\.830 \[0\.800, 0\.860\] +0\.700 +0\.790 +72\.0 %", text)
    assert re.search(r"informed adversary +record-level +94\.0 % \[89\.0, 99\.0\] +0\.0 % +0\.0 %", text)


def test_markdown_tells_the_same(looked):
    text = markdown(looked)
    assert "### What the trained people look like (leak, record-level)" in text
    assert "| gradient | leak, identity-level | 0.830 [0.800, 0.860] | 0.700 [0.670, 0.730] |" in text


def test_models_side_by_side_show_attack_by_attack(looked, leaky):
    weaker = replace(
        looked,
        findings=tuple(
            replace(f, outcome=Outcome.NO_LEAK_FOUND, verdict=NOTHING_BEYOND_PRIOR) if f.id.endswith("gradient") else f
            for f in looked.findings
        ),
    )
    html = render_comparison([("one", looked), ("other", weaker)])
    table = html[html.index("What the trained people look like: pictures") :]
    rows = re.findall(
        r'rowheader">(\w+)</th><td role="cell" data-label="Model">(\w+)', table[: table.index("</table>")]
    )
    assert rows == [("gradient", "one"), ("gradient", "other"), ("nes", "one"), ("nes", "other")]
    assert "look like:" not in render_comparison([("one", leaky), ("other", leaky)])
    assert "Checks in other numbers" in html
    assert "inversion/gradient" not in html[html.index("Checks in other numbers") :]


def test_the_card_tells_it_in_a_line(looked, leaky):
    assert "<b>What the trained people look like</b>: leak, record-level." in card(looked)
    assert "look like" not in card(leaky)


def test_it_survives_the_json(looked):
    text = dumps(looked)
    jsonschema.validate(json.loads(text), schema())
    assert render(loads(text)) == render(looked)


def test_nothing_in_it_is_markup(looked):
    hostile = replace(
        looked["inversion/gradient"], explanation=HOSTILE, verdict=HOSTILE, reason=HOSTILE, id=f"inversion/{HOSTILE}"
    )
    missing = Finding(f"inversion/{HOSTILE}", "inversion", Outcome.SKIPPED, reason=HOSTILE)
    html = render(alone(hostile, missing))
    assert HOSTILE not in html
    assert "&lt;script&gt;" in html


def test_the_gate_knows_every_metric_of_an_inversion(looked):
    named = {name for f in looked.findings if f.family == "inversion" for name in f.metrics}
    assert named <= set(METRICS)
    assert not decide(looked, "default")


def test_success_against_queries_is_drawn_and_told_in_numbers(part, looked):
    text = plain(part[part.index("Success against queries") : part.index("<h3>Profiles")])
    assert "gradient (gradients): 3.6 % after 10, 43.2 % after 100, 72.0 % after 208 queries for each class." in text
    for name in ("inversion/gradient", "inversion/nes"):
        for mark in looked[name].progress:
            shown = mark.metrics["identified"]
            interval = metric_interval("identified", shown).replace(" to ", "–")
            assert f"{metric_value('identified', shown)} {interval}" in text
    assert text.count("208 queries") == 2 + 2, "in the words of the picture, and below the end of each"
    assert text.count("own 0.900") == 4
    without = alone(replace(looked["inversion/gradient"], progress=()))
    assert "Success against queries" not in render(without)


def test_the_most_successful_search_of_each_access_comes_first(looked):
    base = looked["inversion/gradient"]
    made = [("a", "scores", 0.2), ("b", "scores", 0.9), ("c", "label-only", 0.5), ("d", "gradients", 0.1)]
    found = [
        replace(base, id=f"inversion/{name}", access=access, progress=(Mark(50, {"identified": Estimate(v, v, v)}),))
        for name, access, v in made
    ]
    missing = Finding("inversion/e", "inversion", Outcome.NOT_APPLICABLE)
    ordered = _success.searches([*found, missing, replace(base, progress=())])
    assert [f.id[-1] for f in ordered] == ["d", "b", "c", "a"]
    assert _success.without(found) == base.baseline["identified"].value
    assert _success.without([replace(f, baseline={}) for f in found]) is None
    table = _success.table([*ordered, base])
    assert table.marks == (10, 100)
    assert [bool(cell.value) for cell in table.rows[0].cells] == [False, False, True]
    assert table.rows[-1].end == 208
