"""Pictures of a report, with matplotlib and without its global state."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keepmum.findings import Curve, Exposure, Finding
from keepmum.report import _success as success
from keepmum.report._report import Report
from keepmum.report._success import points, searches
from keepmum.report._words import ATTRIBUTE, TPRS, by_strength, primary, split_id
from keepmum.stats.power import resolvable_fpr

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

NAMED = 4
"""Curves that a picture tells apart; the rest is drawn thin and gray."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.4, 1.2, 1.4)))
MARKERS = ("o", "s", "^")
LOWEST = 1e-4


@dataclass(frozen=True)
class Palette:
    """Colors of a picture.

    Attributes:
      ink: Text.
      muted: Lines that stand back.
      rule: Axes and grids.
      shade: The region that the sample cannot resolve.
      series: Curves, strongest first.
    """

    ink: str = "#1d2329"
    muted: str = "#5b6670"
    rule: str = "#c9d0d6"
    shade: str = "#eef0f2"
    series: tuple[str, ...] = ("#1f4e8c", "#a23b1e", "#2f6f5e", "#6b4a8a")


PAPER = Palette()


@dataclass(frozen=True)
class Line:
    """A curve with its name."""

    name: str
    curve: Curve


def overview(report: Report) -> Figure:
    """ROC curves on logarithmic axes beside the AUC of every attack with its interval.

    Attacks on hidden attributes stand in a panel of their own, if there are any, and so does what searches for
    pictures had after so many queries.
    """
    from matplotlib.figure import Figure

    rows = [f for f in by_strength(report.findings) if "auc" in f.metrics]
    hidden = [f for f in report.findings if f.family == ATTRIBUTE and primary(f)]
    found = searches(report.findings)
    panels = 2 + bool(hidden) + bool(found)
    height = max(4.2, 0.3 * max(len(rows), len(hidden)) + 1.6)
    figure = Figure(figsize=(5.5 * panels, height), layout="constrained")
    left, right, *more = figure.subplots(1, panels)
    draw_roc(left, lines(report), floor_of(report), resolvable(report), PAPER)
    draw_aucs(right, rows, PAPER)
    if hidden:
        draw_aucs(more[0], hidden, PAPER)
        more[0].set_xlabel("AUC of the guessed value, or (share) close enough")
    if found:
        draw_progress(more[-1], found, PAPER)
    return figure


def label(finding: Finding) -> str:
    """Name of an attack in a picture."""
    technique, variant = split_id(finding.id)
    variant = finding.subject or variant
    return f"{technique}, {variant}" if variant else technique


def lines(report: Report) -> list[Line]:
    """Distinct curves, strongest first; a curve that several attacks share is named after the first."""
    groups = alike(drawable(report), lambda f: f.curve)
    return [Line(names(group), group[0].curve) for group in groups if group[0].curve]


def drawable(report: Report) -> list[Finding]:
    """Findings with a curve, strongest first."""
    return [f for f in by_strength(report.findings) if f.curve is not None and len(f.curve.fpr) > 1]


def alike(findings: Sequence[Finding], what: Callable[[Finding], Hashable]) -> list[list[Finding]]:
    """Findings that show the same, together: with two classes several signals rank people alike."""
    groups: dict[Hashable, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(what(finding), []).append(finding)
    return list(groups.values())


def names(group: Sequence[Finding]) -> str:
    """Name of findings that are drawn once."""
    return label(group[0]) + (f" (and {len(group) - 1} alike)" if len(group) > 1 else "")


def resolvable(report: Report) -> float | None:
    """The smallest false positive rate that the sample can speak of, or None where sizes are not told."""
    count = report.sample.get("nonmembers", 0)
    return resolvable_fpr(count) if count else None


def floor_of(*reports: Report) -> float:
    """Where the axes begin: the power of ten below the smallest false positive rate seen."""
    rates = [v for report in reports for line in lines(report) for v in line.curve.fpr if v > 0]
    smallest, floor = min(rates, default=0.01), 0.01
    while floor > smallest and floor > LOWEST:
        floor /= 10
    return floor


def draw_roc(axes: Axes, curves: Sequence[Line], floor: float, limit: float | None, palette: Palette) -> None:
    """Log-log ROC as steps: between two thresholds no rate is made up. Below the floor there is no point to show."""
    if limit is not None and limit > floor:
        axes.axvspan(floor, limit, color=palette.shade, lw=0)
        axes.axvline(limit, color=palette.muted, lw=0.8, ls=":")
        axes.text(
            limit,
            0.985,
            " resolvable from here",
            color=palette.muted,
            fontsize="small",
            va="top",
            transform=axes.get_xaxis_transform(),
        )
    axes.plot([floor, 1], [floor, 1], color=palette.muted, lw=0.9, ls=(0, (2, 2)), label="guessing")
    for line in reversed(curves[NAMED:]):
        axes.step(line.curve.fpr, line.curve.tpr, where="post", color=palette.rule, lw=0.8)
    for i, line in reversed(list(enumerate(curves[:NAMED]))):
        style: dict[str, Any] = {"color": palette.series[i % len(palette.series)], "ls": DASHES[i % len(DASHES)]}
        axes.step(line.curve.fpr, line.curve.tpr, where="post", lw=1.7, label=line.name, **style)
    _log_axes(axes, floor)
    axes.set_xlabel("false positive rate: wrongly accused")
    axes.set_ylabel("true positive rate: found")
    handles, names = axes.get_legend_handles_labels()
    _legend_below(axes, palette, handles[::-1], names[::-1])
    frame(axes, palette)


def _legend_below(axes: Axes, palette: Palette, handles: Sequence[Any], names: Sequence[str]) -> None:
    """Where no curve can run through it."""
    axes.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(-0.02, -0.16),
        ncols=2,
        frameon=False,
        fontsize="small",
        labelcolor=palette.ink,
        columnspacing=1.4,
        borderaxespad=0,
    )


def draw_progress(axes: Axes, findings: Sequence[Finding], palette: Palette) -> None:
    """Share of the pictures named right after so many queries a class, with intervals; best without a search dotted.

    Attacks are those of `searches`; of more than `NAMED` the rest is thin.
    """
    for finding in findings[NAMED:]:
        asked, shares = zip(*points(finding), strict=True)
        axes.plot(asked, [share.value for share in shares], color=palette.rule, lw=0.8)
    for i, finding in reversed(list(enumerate(findings[:NAMED]))):
        aside = 1.05 ** (i - (min(NAMED, len(findings)) - 1) / 2)  # or intervals would hide each other
        asked, shares = zip(*points(finding), strict=True)
        places, color = [aside * queries for queries in asked], palette.series[i % len(palette.series)]
        axes.vlines(places, [s.low for s in shares], [s.high for s in shares], color=color, lw=1.0, alpha=0.55)
        style: dict[str, Any] = {"color": color, "ls": DASHES[i % len(DASHES)], "marker": MARKERS[i % len(MARKERS)]}
        axes.plot(places, [s.value for s in shares], lw=1.7, ms=4, label=success.name(finding), **style)
    if (blind := success.without(findings)) is not None:
        axes.axhline(blind, color=palette.muted, lw=0.9, ls=(0, (2, 2)), label="best without a search")
    axes.set_xscale("log")
    _percent(axes.yaxis)
    _counts(axes.xaxis)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("queries for each class")
    axes.set_ylabel("pictures named right by every recognizer")
    handles, names = axes.get_legend_handles_labels()
    order = [*range(len(names) - 2, -1, -1), len(names) - 1] if blind is not None else range(len(names) - 1, -1, -1)
    _legend_below(axes, palette, [handles[i] for i in order], [names[i] for i in order])
    frame(axes, palette)


def _log_axes(axes: Axes, floor: float) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        _percent(axis)
    axes.set_xlim(floor, 1)
    axes.set_ylim(floor, 1.03)


def draw_aucs(axes: Axes, findings: Sequence[Finding], palette: Palette) -> None:
    """How strong each attack is, with its baseline and control below it."""
    sides = (
        ("attack", 0.0, "o", palette.series[0]),
        ("baseline", 0.24, "D", palette.series[1]),
        ("control", 0.42, "s", palette.muted),
    )
    metric = [primary(f) for f in findings]
    for name, drop, marker, color in sides:
        found = [(i, f.metrics if name == "attack" else getattr(f, name)) for i, f in enumerate(findings)]
        points = [(i + drop, numbers[metric[i]]) for i, numbers in found if metric[i] in numbers]
        for y, auc in points:
            axes.plot(
                [auc.low, auc.high], [y, y], color=color, lw=2.2 if name == "attack" else 1.0, solid_capstyle="butt"
            )
        face = color if name == "attack" else "none"
        axes.plot(
            [a.value for _, a in points],
            [y for y, _ in points],
            marker,
            color=color,
            mfc=face,
            ms=5 if name == "attack" else 3.5,
            ls="",
            label=name,
        )
    axes.axvline(0.5, color=palette.muted, lw=0.9, ls=(0, (2, 2)))
    _rows(axes, [f"{label(f)} (share)" if primary(f) == "within_tolerance" else label(f) for f in findings])
    axes.set_xlabel("AUC (0.5: guessing)")
    if findings:
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, frameon=False, fontsize="small")
    frame(axes, palette)


def draw_rates(axes: Axes, findings: Sequence[Finding], palette: Palette) -> None:
    """Share of the members found at each false positive rate, on a logarithmic axis; chance is a dotted line each."""
    groups = alike(findings, lambda f: tuple(f.metrics.get(name) for name in TPRS))
    rows = [group[0].metrics for group in groups]
    floor = 1e-3 if any(numbers[n].low < 0.003 for numbers in rows for n in TPRS if n in numbers) else 3e-3
    for (name, text), marker, color, drop in zip(
        TPRS.items(), MARKERS, palette.series, (-0.22, 0.0, 0.22), strict=False
    ):
        points = [(i + drop, numbers[name]) for i, numbers in enumerate(rows) if name in numbers]
        axes.axvline(float(name.rsplit("_", 1)[1]), color=color, lw=0.9, ls=":")
        for y, rate in points:
            ends = [max(rate.low, floor), max(rate.high, floor)]
            face = color if rate.value > floor else "none"
            axes.plot(ends, [y, y], color=color, lw=1.4, solid_capstyle="butt")
            axes.plot([max(rate.value, floor)], [y], marker, color=color, mfc=face, ms=4.5, clip_on=False)
        if points:
            axes.plot([], [], marker, color=color, ms=4.5, ls="", label=f"at {text}")
    axes.set_xscale("log")
    _percent(axes.xaxis)
    axes.set_xlim(floor, 1)
    _rows(axes, [names(group) for group in groups])
    axes.set_xlabel("share of the training people found")
    style: dict[str, Any] = {
        "loc": "lower right",
        "bbox_to_anchor": (1.0, 1.0),
        "handletextpad": 0.1,
        "columnspacing": 1.0,
    }
    axes.legend(ncols=3, frameon=False, fontsize="small", labelcolor=palette.ink, **style)
    frame(axes, palette)


def _percent(axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g} %"))
    axis.set_minor_locator(NullLocator())


def _counts(axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.set_minor_locator(NullLocator())


def _rows(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)


def draw_histogram(axes: Axes, curve: Curve, palette: Palette) -> None:
    """Where members and non-members fall in the ranking of scores, left to right."""
    axes.stairs(curve.nonmembers, curve.edges, fill=True, color=palette.rule, lw=0, label="non-members")
    axes.stairs(curve.members, curve.edges, color=palette.series[0], lw=1.5, label="members")
    axes.set_xlim(curve.edges[0], curve.edges[-1])
    axes.set_yticks([])
    low, high = axes.set_xticks([curve.edges[0], curve.edges[-1]], ["low", "high"])
    low.label1.set_horizontalalignment("left")
    high.label1.set_horizontalalignment("right")
    frame(axes, palette)
    axes.spines["left"].set_visible(False)


def draw_exposure(axes: Axes, exposure: Exposure, palette: Palette) -> None:
    """Share of the members at each risk, with its number, for the bars of the few are too low to see."""
    edges, shares = exposure.edges, exposure.shares
    axes.stairs(shares, edges, fill=True, color=palette.series[0], lw=0)
    axes.axvline(0.5, color=palette.muted, lw=0.8, ls=(0, (2, 2)))
    for left, right, share in zip(edges, edges[1:], shares, strict=False):
        if share:
            said = f"{100 * share:.0f} %" if share >= 0.01 else "< 1 %"
            axes.annotate(
                said,
                ((left + right) / 2, share),
                (0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
                color=palette.ink,
            )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(0, 1.15 * max(shares))
    axes.set_yticks([])
    axes.set_xlabel("risk of a member: 0.5 is guessing, 1 is certainty")
    frame(axes, palette)
    axes.spines["left"].set_visible(False)


def frame(axes: Axes, palette: Palette) -> None:
    """Two spines, quiet ticks."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette.rule)
    axes.tick_params(colors=palette.ink, length=3, color=palette.rule)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(palette.ink)
