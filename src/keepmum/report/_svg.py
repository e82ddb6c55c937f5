"""Pictures for the page: matplotlib's SVG with text as text, in the page's colors, the same bytes every time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

from keepmum.findings import Exposure, Finding
from keepmum.report import _success as success
from keepmum.report import plots
from keepmum.report._report import Report
from keepmum.report._words import TPRS, by_strength

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "keepmum",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "axes.unicode_minus": False,
}
PAGE = plots.Palette(
    ink="#a00001",
    muted="#a00002",
    rule="#a00003",
    shade="#a00004",
    series=("#a00005", "#a00006", "#a00007", "#a00008"),
)
"""Stand-ins that `themed` replaces by the page's own colors, so that one picture serves light, dark and paper."""
NAMES = ("ink", "muted", "line", "shade", "s1", "s2", "s3", "s4")


def roc_svg(report: Report, key: str = "roc") -> Markup:
    """Log-log ROC of the strongest attacks, or nothing where there is no curve."""
    curves = plots.lines(report)
    if not curves:
        return Markup("")
    figure, axes = _figure(5.0, 4.4)
    plots.draw_roc(axes, curves, plots.floor_of(report), plots.resolvable(report), PAGE)
    return themed(figure, key, "ROC curves on logarithmic axes", _roc_words(curves))


def rocs_svg(named: Sequence[tuple[str, Report]], key: str = "rocs") -> Markup:
    """The same attack on several models in one picture: the strongest on the first, where the others have it too."""
    best = [(name, plots.drawable(report)) for name, report in named]
    best = [(name, found) for name, found in best if found]
    shared = best[0][1][0].id if best else ""
    chosen = [(name, next((f for f in found if f.id == shared), found[0])) for name, found in best]
    curves = [plots.Line(f"{name}: {plots.label(f)}", f.curve) for name, f in chosen if f.curve]
    if not curves:
        return Markup("")
    reports = [report for _, report in named]
    limits = [limit for report in reports if (limit := plots.resolvable(report)) is not None]
    figure, axes = _figure(5.0, 4.4)
    plots.draw_roc(axes, curves, plots.floor_of(*reports), max(limits, default=None), PAGE)
    return themed(figure, key, "ROC curves of one attack on each model", _roc_words(curves))


def rates_svg(report: Report, key: str = "rates") -> Markup:
    """Share of the members found at each false positive rate, with intervals."""
    rows = [f for f in by_strength(report.findings) if any(name in f.metrics for name in TPRS)]
    if not rows:
        return Markup("")
    count = len(plots.alike(rows, lambda f: tuple(f.metrics.get(name) for name in TPRS)))
    figure, axes = _figure(5.0, 1.0 + 0.3 * count)
    plots.draw_rates(axes, rows, PAGE)
    words = "The numbers and their intervals are those of the table of attacks."
    return themed(figure, key, "Share of the training people found, attack by attack", words)


def histogram_svg(finding: Finding, key: str) -> Markup:
    """Where members and non-members fall in the ranking of scores."""
    if finding.curve is None or len(finding.curve.edges) < 2:
        return Markup("")
    figure, axes = _figure(3.0, 1.25, layout=None)
    figure.subplots_adjust(left=0.03, right=0.97, top=0.97, bottom=0.2)
    plots.draw_histogram(axes, finding.curve, PAGE)
    top = len(finding.curve.members) // 2
    words = (
        f"{sum(finding.curve.members[top:]):.0%} of the members and {sum(finding.curve.nonmembers[top:]):.0%} of the "
        "non-members are in the higher half of the ranking."
    )
    return themed(figure, key, f"Scores of {finding.id}", words)


def progress_svg(report: Report, key: str = "progress") -> Markup:
    """What searches for pictures had after so many queries, or nothing where none was judged along the way."""
    found = success.searches(report.findings)
    if not found:
        return Markup("")
    figure, axes = _figure(5.0, 3.9)
    plots.draw_progress(axes, found, PAGE)
    return themed(figure, key, "Pictures named right, by queries for each class", success.in_words(found))


def exposure_svg(exposure: Exposure | None, key: str = "exposed") -> Markup:
    """How many members are at which risk, or nothing where that is not told."""
    if exposure is None or not exposure.shares:
        return Markup("")
    figure, axes = _figure(5.0, 2.1)
    plots.draw_exposure(axes, exposure, PAGE)
    words = f"{exposure.explanation} The table below tells classes and groups."
    return themed(figure, key, "Members by their risk", words)


def _roc_words(curves: Sequence[plots.Line]) -> str:
    """The picture in words: what each named curve reaches at three rates."""
    said = []
    for line in curves[: plots.NAMED]:
        points = list(zip(line.curve.fpr, line.curve.tpr, strict=True))
        reached = [f"{100 * max(t for f, t in points if f <= rate):.1f} %" for rate in (0.01, 0.1)]
        said.append(f"{line.name}: finds {reached[0]} at 1 % and {reached[1]} at 10 % false positive rate.")
    return " ".join(said)


def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout=layout)
        figure.patch.set_alpha(0)
        axes = figure.subplots()
        axes.patch.set_alpha(0)
    return figure, axes


def themed(figure: Figure, key: str, title: str, words: str) -> Markup:
    """Inline SVG with the page's colors and font, ids that are unique on the page, and a title and description."""
    import matplotlib as mpl

    out = StringIO()
    with mpl.rc_context(STYLE):
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = out.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|<defs>\s*</defs>", "", svg, flags=re.DOTALL)
    for i, name in enumerate(NAMES):
        svg = svg.replace(f"#a0000{i + 1}", f"var(--{name})")
    svg = re.sub(r" *font-family: [^;\"]*;?", "", svg)
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\d\.\d)\d+", r"\1", tag[0]), svg)
    svg = re.sub(r" *\n *(?=[LCQMz\"])", "", svg)
    svg = _own_ids(svg.replace("xlink:href", "href"), key)
    size = re.search(r'viewBox="[^"]*"', svg)
    opening = f'<svg class="figure" {size[0] if size else ""} role="img" aria-labelledby="{key}-t {key}-d">'
    named = Markup('<title id="{0}-t">{1}</title><desc id="{0}-d">{2}</desc>').format(key, title, words)
    body = svg[svg.index(">") + 1 :]
    return Markup(re.sub(r">\s+<", "><", opening + str(named) + body).strip())  # noqa: S704 matplotlib escapes its text


def _own_ids(svg: str, key: str) -> str:
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', svg))

    def own(match: re.Match[str]) -> str:
        return f' id="{key}-{match[1]}"' if match[1] in used else ""

    svg = re.sub(r' id="([^"]+)"', own, svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{key}-", svg)
