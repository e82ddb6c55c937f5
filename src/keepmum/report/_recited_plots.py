"""Pictures of what came out of a language model: exposure by repeats, success by effort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from keepmum.findings import Finding, Slice, Trend
from keepmum.report import _recited as recited
from keepmum.report import plots
from keepmum.report._report import Report
from keepmum.report._svg import PAGE, _figure, themed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NULL_BITS = 1.4427
"""Mean exposure of a secret that nobody was trained on: 1 / ln 2 bits (Carlini et al. 2019)."""


FEW = 256
"""Efforts up to this are told as plain numbers, by doublings."""


def exposure_svg(report: Report) -> Markup:
    """Exposure by how often a secret stood in the training data, or nothing where none was measured."""
    found = recited.exposed(report)
    if not found:
        return Markup("")
    figure, axes = _figure(5.0, 3.4)
    draw_exposure_steps(axes, found, PAGE)
    said = [
        f"{f.id.split('/')[1]}: "
        + ", ".join(f"{s.metrics[recited.BITS].value:.1f} bits at {s.value}" for s in _by_repeats(f))
        + " repeats."
        for f in found
    ]
    return themed(figure, "exposure-steps", "Exposure by repeats", " ".join(said))


def trend_svgs(report: Report) -> list[tuple[Finding, Trend, Markup]]:
    """A picture for each trend."""
    made = []
    for number, (finding, trend) in enumerate(recited.trends(report)):
        figure, axes = _figure(4.6, 3.2)
        draw_trend(axes, trend, PAGE)
        words = " ".join(f"{line.name}: {line.y[0]:.3g} to {line.y[-1]:.3g}." for line in trend.lines)
        made.append((finding, trend, themed(figure, f"trend-{number}", f"{trend.name} by {trend.effort}", words)))
    return made


def draw_exposure_steps(axes: Axes, findings: Sequence[Finding], palette: plots.Palette) -> None:
    """Mean exposure with intervals over the number of repeats; what an untrained secret has on average is dotted."""
    for i, finding in enumerate(findings):
        steps = _by_repeats(finding)
        places = [float(step.value) for step in steps]
        bits = [step.metrics[recited.BITS] for step in steps]
        color = palette.series[i % len(palette.series)]
        axes.vlines(places, [b.low for b in bits], [b.high for b in bits], color=color, lw=1.0, alpha=0.6)
        label = finding.id.split("/")[1].replace("-", " ")
        axes.plot(places, [b.value for b in bits], color=color, marker="o", ms=4, lw=1.7, label=label)
        if recited.BITS in finding.control:
            twin = finding.control[recited.BITS].value
            axes.axhline(twin, color=color, lw=0.9, ls=(0, (4, 2)), label=f"{label}: never trained on")
    axes.axhline(NULL_BITS, color=palette.muted, lw=0.9, ls=(0, (1, 2)), label="what chance gives")
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_xlabel("times in the training data")
    axes.set_ylabel("exposure, bits")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="best", labelcolor=palette.ink)
    plots.frame(axes, palette)


def draw_trend(axes: Axes, trend: Trend, palette: plots.Palette) -> None:
    """Means by effort: planted secrets by repeats, or all with their interval where they are alike; twins dashed."""
    from matplotlib.ticker import NullFormatter

    parts = [line for line in trend.lines if line.name.startswith("repeats ")]
    planted = parts or [line for line in trend.lines if line.name != "twins"]
    for i, line in enumerate(planted):
        label = line.name.replace("repeats ", "read ") + " ×" * bool(parts)
        color = palette.series[i % len(palette.series)]
        style = plots.DASHES[i % len(plots.DASHES)]
        if not parts:
            axes.fill_between(trend.x, line.low, line.high, color=color, alpha=0.12, lw=0)
        axes.plot(trend.x, line.y, color=color, ls=style, lw=1.6, label=f"{label} ({line.count})")
    for line in (line for line in trend.lines if line.name == "twins"):
        axes.fill_between(trend.x, line.low, line.high, color=palette.muted, alpha=0.12, lw=0)
        label = f"never trained on ({line.count})"
        axes.plot(trend.x, line.y, color=palette.muted, ls=(0, (4, 2)), lw=1.6, label=label)
    few = max(trend.x) <= FEW
    axes.set_xscale("log", base=2 if few else 10)
    if few:
        axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(trend.effort)
    axes.set_ylabel(trend.name)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False, loc="best", labelcolor=palette.ink)
    plots.frame(axes, palette)


def _by_repeats(finding: Finding) -> list[Slice]:
    found = [s for s in finding.slices if s.column == "repeats" and recited.BITS in s.metrics]
    return sorted(found, key=lambda part: float(part.value))
