import re
import subprocess
import sys
from dataclasses import replace
from xml.etree import ElementTree

from keepmum.findings import Outcome
from keepmum.report import Report, plots
from keepmum.report._svg import PAGE, histogram_svg, progress_svg, rates_svg, roc_svg


def test_overview_is_a_figure_with_the_curves_and_the_intervals(leaky):
    figure = leaky.plot()
    roc, aucs = figure.axes
    assert (roc.get_xscale(), roc.get_yscale()) == ("log", "log")
    named = {text.get_text() for text in roc.get_legend().get_texts()}
    assert "guessing" in named
    assert "loss, per class (and 1 alike)" in named
    assert len(named) == plots.NAMED + 1
    assert aucs.get_yticklabels()[0].get_text() == "loss, per class"
    assert len(aucs.get_yticks()) == sum("auc" in f.metrics for f in leaky.findings)
    figure.canvas.draw()


def test_pictures_touch_no_global_state():
    code = """
import sys
import matplotlib as m
from keepmum.findings import Outcome
from keepmum.report import Report
now = lambda: {name: m.rcParams[name] for name in m.rcParams if name != "backend"}  # asking for that imports pyplot
before = now()
report = Report(Outcome.LEAK, "", (), {}, {})
report.plot(), report.to_html()
assert "matplotlib.pyplot" not in sys.modules
assert now() == before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_limit_of_the_sample_is_marked(leaky):
    assert plots.resolvable(leaky) == 3 / 2000
    assert "resolvable from here" in roc_svg(leaky)
    assert "resolvable from here" not in roc_svg(replace(leaky, sample={}))


def test_curves_are_steps_so_that_no_rate_is_made_up(leaky):
    roc = leaky.plot().axes[0]
    drawn = [line for line in roc.get_lines() if line.get_drawstyle() == "steps-post"]
    assert len(drawn) == len(plots.lines(leaky))


def test_attacks_that_rank_alike_are_drawn_once(leaky):
    curves = plots.lines(leaky)
    assert len({line.curve for line in curves}) == len(curves) == 7


def test_pictures_are_small_whole_and_named(leaky):
    for picture in (roc_svg(leaky), rates_svg(leaky), histogram_svg(leaky.findings[0], "h")):
        root = ElementTree.fromstring(str(picture))
        assert root.get("role") == "img"
        ids = [node.get("id") for node in root.iter() if node.get("id")]
        assert len(ids) == len(set(ids))
        assert set(root.get("aria-labelledby").split()) <= set(ids)
        for used in re.findall(r'(?:url\(#|href="#)([^)"]+)', str(picture)):
            assert used in ids
        assert root.find("title").text
        assert root.find("desc").text
        assert len(picture) < 40_000


def test_pictures_take_the_colors_of_the_page(leaky):
    for picture in (roc_svg(leaky), rates_svg(leaky), histogram_svg(leaky.findings[0], "h")):
        assert "var(--ink)" in picture
        assert "font-family" not in picture
        assert not re.search("#[0-9a-f]{6}", str(picture))
    assert len({PAGE.ink, PAGE.muted, PAGE.rule, PAGE.shade, *PAGE.series}) == 8


def test_the_words_of_the_picture_are_its_numbers(leaky):
    said = ElementTree.fromstring(str(roc_svg(leaky))).find("desc").text
    curve = leaky["membership/loss"].curve
    reached = max(t for f, t in zip(curve.fpr, curve.tpr, strict=True) if f <= 0.1)
    assert "loss: finds" in said
    assert f"{100 * reached:.1f} % at 10 % false positive rate" in said


def test_a_report_without_curves_has_no_pictures():
    empty = Report(Outcome.INCONCLUSIVE, "", (), {}, {})
    assert roc_svg(empty) == rates_svg(empty) == ""
    assert len(empty.plot().axes) == 2


def test_searches_are_drawn_by_queries_with_what_no_search_reaches(sample):
    looked = sample.looked()
    axes = looked.plot().axes[-1]
    assert axes.get_xscale() == "log"
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["nes (gradients)", "gradient (gradients)", "best without a search"]
    drawn = {line.get_label(): line for line in axes.get_lines()}
    shares = [mark.metrics["identified"].value for mark in looked["inversion/nes"].progress]
    assert list(drawn["nes (gradients)"].get_ydata()) == shares
    assert set(drawn["best without a search"].get_ydata()) == {0.28}
    picture = progress_svg(looked)
    ElementTree.fromstring(str(picture))
    assert "72.0 % after 208" in picture
    assert not re.search(r"#a0000\d", picture)
    assert progress_svg(replace(looked, findings=())) == ""
    assert len(looked.plot().axes) == 3
