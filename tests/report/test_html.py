import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from keepmum.findings import Outcome, Slice
from keepmum.report import Report
from keepmum.report._html import card, render, render_comparison
from keepmum.report._json import dumps, loads
from keepmum.report._words import EVIDENCE, OUTCOMES

HOSTILE = "<script>alert(1)</script>\"'&"
VOID = {"meta", "input", "br", "link", "img", "hr"}


class Page(HTMLParser):
    """Checks nesting and gathers what tests ask about."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.said, self.ids, self.headings = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.said.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.said))

    def named(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def page(leaky):
    return render(leaky)


@pytest.fixture(scope="module")
def quiet(tight):
    return render(tight)


@pytest.fixture(scope="module")
def pair(leaky, tight):
    return render_comparison([("overfit forest", leaky), ("logistic regression", tight)])


def test_parts_come_in_order(page):
    places = [page.index(f'<section id="{name}"') for name in (
        *("verdict", "measured", "curves", "groups", "exposed", "coverage", "instrument", "limits", "reproduce"),
        "glossary",
    )]  # fmt: skip
    assert places == sorted(places)


def test_what_was_not_asked_has_a_line_and_no_section(page, leaky):
    """Sections with something to show come first, and are numbered as they come."""
    for name in ("hidden", "looks", "recited"):
        assert f'<section id="{name}"' not in page
    numbers = [int(text) for text in re.findall(r'<span class="n">(\d+)</span>', page)]
    assert numbers == list(range(2, len(numbers) + 2))
    listed = page[page.index('<section id="absent"') : page.index('<section id="coverage"')]
    assert "Hidden attributes" in listed
    assert page.count("<li><a href=") == len(numbers) + 1
    bare = render(replace(leaky, findings=(), exposure=None))
    assert "No attack of this kind was measured." in bare


def test_the_most_exposed_are_told_in_aggregates(page, quiet, leaky):
    part = Page(page[page.index('<section id="exposed"') : page.index('<section id="coverage"')])
    assert leaky.exposure.explanation in part.text
    assert "the 50 most exposed members" in part.text
    assert "Their label is doubted" in part.text
    assert "86.0 %" in part.text
    assert "fewer than 10 people" in part.text
    assert "Risk by native-country" in part.text
    assert "too few" in part.text
    assert any("figure" in attrs.get("class", "") for attrs in part.named("svg"))
    assert "Not told: the shadow models are not like the target." in Page(quiet).text
    assert "needs shadow models, and none were trained" in Page(render(replace(leaky, exposure=None))).text


def test_the_verdict_and_what_it_means_come_first(page, leaky, sample):
    text = Page(page).text
    worst = leaky["membership/loss:per-class"]
    measured = text.index("What was measured Each attack")
    assert text.index(leaky.verdict) < text.index(worst.explanation) < measured
    right = round(100 * worst.metrics["precision"].value)
    assert f"{right} of 100" in text
    assert page.count('class="in"') == right + 10


def test_a_sentence_that_the_verdict_quotes_is_said_once(leaky):
    said = leaky["membership/entropy"].explanation
    text = Page(render(replace(leaky, verdict=f"It leaks. {said}"))).text
    banner = text[: text.index("What was measured Each attack")]
    assert banner.count(said) == 1


def test_every_finding_appears_with_its_outcome(page, leaky):
    text = Page(page).text
    for finding in leaky.findings:
        assert finding.id in text
        assert finding.reason in text
        assert OUTCOMES[finding.outcome] in text


def test_attack_baseline_and_control_stand_together(page, leaky):
    for finding in leaky.findings:
        if "auc" in finding.metrics:
            for side in (finding.metrics, finding.baseline, finding.control):
                assert f"{side['auc'].value:.3f}" in page
    labels = [a["aria-label"] for a in Page(page).named("svg") if "AUC of loss" in a.get("aria-label", "")]
    assert labels
    assert all("baseline" in label and "control" in label for label in labels)


def test_refused_numbers_say_what_would_do(page):
    text = Page(page).text
    assert "needs 3,000 non-members, has 2,000" in text
    assert "refused" in text


def test_coverage_names_what_was_not_tested(page):
    text = Page(page).text
    coverage = text[text.rindex("Coverage Every family") : text.rindex("Instrument check")]
    for family in ("membership", "structural", "attribute", "inversion", "extraction"):
        assert family in coverage
    assert coverage.count("not tested") >= 3


def test_a_family_that_the_report_forgot_is_shown_as_not_tested(leaky):
    assert "extraction" in Page(render(replace(leaky, coverage={}))).text


def test_small_groups_are_not_counted_out(page):
    text = Page(page).text
    assert "Holand-Netherlands fewer than 10" in text


@pytest.mark.parametrize("kind", ["page", "pair"])
def test_nothing_is_loaded_from_anywhere(kind, request):
    html = request.getfixturevalue(kind)
    for tag, attrs in Page(html).tags:
        assert "src" not in attrs
        assert tag not in ("link", "img", "iframe", "object", "embed", "base", "form")
        for name, value in attrs.items():
            if "http" in (value or ""):
                assert (tag, name) == ("a", "href")
    assert "@import" not in html
    assert not re.search(r"url\((?!#)", html)
    assert "default-src 'none'" in html


def test_the_policy_of_the_page_allows_its_own_script(page):
    import base64
    import hashlib

    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    assert page.count("<script") == 1
    assert "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in page
    assert len(script) < 2500


def test_hostile_names_are_text(leaky):
    finding = leaky["membership/loss"]
    slices = (replace(finding.slices[0], column=HOSTILE, value=HOSTILE), Slice(HOSTILE, "<img src=x>", 3, 3))
    bad = replace(finding, id=f"membership/{HOSTILE}", slices=slices, explanation=HOSTILE, references=(HOSTILE,))
    report = replace(
        leaky,
        verdict=HOSTILE,
        findings=(bad, replace(bad, id="membership/x", outcome=Outcome.ERROR, reason=HOSTILE)),
        target={"kind": HOSTILE, HOSTILE: HOSTILE},
        limits=(HOSTILE,),
        reproducibility={"command": HOSTILE, HOSTILE: {HOSTILE: [HOSTILE]}},
        coverage={HOSTILE: replace(leaky.coverage["structural"], family=HOSTILE, status=HOSTILE, reason=HOSTILE)},
        instrument={HOSTILE: replace(leaky.instrument["power"], explanation=HOSTILE)},
    )
    for html in (render(report), card(report), render_comparison([(HOSTILE, report), ("b", leaky)])):
        parsed = Page(html)
        assert len(parsed.named("script")) == (0 if html.startswith('<div class="keepmum-card"') else 1)
        assert not parsed.named("img")
        assert HOSTILE in parsed.text


def test_a_reference_cannot_become_a_script(leaky):
    finding = replace(leaky.findings[0], references=("javascript:alert(1)", "arXiv:1709.01604", "doi:10.1/a b"))
    links = [a["href"] for a in Page(render(replace(leaky, findings=(finding,)))).named("a")]
    assert "https://arxiv.org/abs/1709.01604" in links
    assert not [link for link in links if not link.startswith(("#", "https://arxiv.org/"))]


def test_thirty_findings_stay_below_half_a_megabyte(leaky, sample):
    many = tuple(sample.finding(f"technique-{i}", 0.02 * i, i) for i in range(30))
    html = render(replace(leaky, findings=many))
    assert len(html.encode()) < 500_000
    assert all(f.id in html for f in many)


def test_the_same_report_gives_the_same_bytes(page, leaky):
    assert render(leaky) == page


def test_a_report_that_was_read_back_looks_the_same(page, leaky):
    assert render(loads(dumps(leaky))) == page


def test_side_by_side_draws_the_same_attack_on_both(pair):
    named = re.findall(r">((?:overfit forest|logistic regression): [^<]+)</text>", pair)
    assert sorted(named) == ["logistic regression: loss, per class", "overfit forest: loss, per class"]


def test_no_claim_that_nobody_can_make(page, quiet, pair, leaky):
    for html in (page, quiet, pair, card(leaky)):
        text = Page(html).text.replace(EVIDENCE, "").lower()
        assert not re.search(r"\b(safe|anonymous|compliant)\b", text)
    assert "evidence, not a certificate" in Page(quiet).text


@pytest.mark.parametrize("kind", ["page", "pair"])
def test_a_reader_without_eyes_or_mouse_finds_the_way(kind, request):
    parsed = Page(request.getfixturevalue(kind))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.headings[0] == parsed.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(parsed.headings, parsed.headings[1:], strict=False))
    assert len(parsed.named("table")) == len(parsed.named("caption"))
    assert all("scope" in attrs for attrs in parsed.named("th"))
    for attrs in parsed.named("svg"):
        assert attrs.get("aria-hidden") or (attrs["role"] == "img" and {"aria-label", "aria-labelledby"} & attrs.keys())
    wanted = {name for _, attrs in parsed.tags for name in (attrs.get("aria-labelledby") or "").split()}
    wanted |= {attrs["href"][1:] for attrs in parsed.named("a") if attrs["href"].startswith("#")}
    assert wanted <= set(parsed.ids)
    assert parsed.named("html")[0]["lang"] == "en"
    assert {"header", "nav", "main", "footer"} <= {tag for tag, _ in parsed.tags}


def test_outcomes_differ_by_more_than_color(page):
    shapes = set(re.findall(r'class="outcome ([a-z-]+)"><svg[^>]*>(<[^>]+>)', page))
    by_kind = dict(shapes)
    assert len(set(by_kind.values())) >= 4
    assert by_kind["leak"] != by_kind["inconclusive"]


def test_dark_and_paper_have_their_styles(page):
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_an_empty_report_is_still_a_page():
    empty = Report(Outcome.INCONCLUSIVE, "", (), {}, {})
    for html in (render(empty), card(empty), render_comparison([("a", empty), ("b", empty)])):
        assert Page(html).text


def test_the_card_is_scoped_and_short(leaky):
    html = card(leaky)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)[1]
    selectors = [part.strip() for rule in re.findall(r"([^{}]+)\{", style) for part in rule.split(",")]
    assert all(selector.startswith(".keepmum-card") for selector in selectors)
    assert len(html) < 8000
    assert leaky._repr_html_() == html


def test_side_by_side_shows_both_and_the_change(pair, leaky, tight):
    text = Page(pair).text
    assert leaky.verdict in text
    assert tight.verdict in text
    assert "It got better" in text
    loss = (leaky["membership/loss"], tight["membership/loss"])
    for finding in loss:
        assert f"{finding.metrics['auc'].value:.3f}" in text
        assert f"{finding.baseline['auc'].value:.3f}" in text
    assert f"{loss[1].metrics['auc'].value - loss[0].metrics['auc'].value:+.3f}" in text


def test_three_models_are_shown_without_a_change(leaky, tight):
    text = Page(render_comparison([("a", leaky), ("b", tight), ("c", leaky)])).text
    assert "changed by" not in text


def test_facts_name_who_is_asked_about(leaky):
    from keepmum.report._view import facts

    told = dict(facts(leaky))
    assert "in, " in told["People"]
    counts = {"documents_in": 300, "documents_out": 299, "secrets_in": 36, "secrets_out": 36}
    told = dict(facts(replace(leaky, sample={"members": 336, "nonmembers": 335, **counts})))
    assert told["Documents"] == "300 in, 299 out"
    assert told["Secrets"] == "36 in, 36 out"
    assert "People" not in told
