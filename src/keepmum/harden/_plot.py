"""Accuracy against the worst leak, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keepmum.harden._verdict import LEAKS, Verdict, rate_of

if TYPE_CHECKING:
    from keepmum.harden.frontier import Frontier, Row

MARKS = {
    Verdict.UNDEFENDED: ("D", 0),
    Verdict.WORKS: ("o", 1),
    Verdict.PARTLY: ("^", 1),
    Verdict.MASKING: ("s", 2),
    Verdict.BACKFIRED: ("X", 3),
    Verdict.NOTHING: ("v", 2),
    Verdict.UNDECIDED: ("v", 2),
}
"""Form and color by verdict: no verdict is told by its color alone."""
NEAR = 0.02
"""Share of the picture's width or height within which labels would cover each other."""
HEIGHTS = (5, -13, 17, -25)
"""Where a label may stand above its point, the first that is free."""
DIGIT, LINE = 7.0, 11.0
"""Width of a character and height of a line, at the most; all in points of type."""
Point = tuple[float, float]
COLORS = ("#222222", "#1b6e3c", "#5b6470", "#a4271d")


def worst(row: Row) -> str:
    """Name of the largest of a row's leaks."""
    names = [name for leak in LEAKS if (name := rate_of(row.metrics, leak)) is not None]
    return max(names, key=lambda name: row.metrics[name].value)


def labels(frontier: Frontier) -> list[tuple[list[int], Point]]:
    """Numbers of rows with the point that they stand at; rows that would hide each other's number share one label."""
    points = {number: (row.leak, row.accuracy) for number, row in enumerate(frontier.rows) if row.metrics}
    across, up = (max(values) - min(values) for values in zip(*points.values(), strict=True))
    found: list[tuple[list[int], Point]] = []
    for number, (leak, accuracy) in points.items():
        for numbers, (x, y) in found:
            if abs(leak - x) <= NEAR * across and abs(accuracy - y) <= NEAR * up:
                numbers.append(number)
                break
        else:
            found.append(([number], (leak, accuracy)))
    return found


def runs(numbers: list[int]) -> str:
    """Numbers in rising order, three and more that follow each other as first–last: a long label hides the next."""
    told: list[list[int]] = []
    for number in numbers:
        if told and number == told[-1][-1] + 1:
            told[-1].append(number)
        else:
            told.append([number])
    parts = [f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in told]
    return ", ".join(parts)


def beside(axes: Any, told: list[tuple[str, Point]]) -> list[tuple[str, Point, int]]:
    """Labels with their points and how far above each stands, in points of type: none covers one before it."""
    scale = 72 / axes.figure.dpi
    found: list[tuple[str, Point, int]] = []
    taken: list[tuple[float, float, float]] = []
    for text, place in told:
        x, y = (float(value) * scale for value in axes.transData.transform(place))
        end = x + DIGIT * len(text)
        over = {h: any(abs(y + h - b) < LINE and x < right and left < end for left, right, b in taken) for h in HEIGHTS}
        height = next((h for h in HEIGHTS if not over[h]), HEIGHTS[0])
        taken.append((x, end, y + height))
        found.append((text, place, height))
    return found


def draw(frontier: Frontier, axes: Any = None, colors: tuple[str, ...] = COLORS, rule: str = "#999999") -> Any:
    """Each row as a point with its intervals, the frontier as a line; numbers refer to the table."""
    import matplotlib.pyplot as plt

    axes = plt.subplots(figsize=(6.4, 4.4))[1] if axes is None else axes
    for row in frontier.measured:
        form, color = MARKS[row.verdict]
        leak, accuracy = row.metrics[worst(row)], row.metrics["accuracy"]
        axes.errorbar(
            leak.value,
            accuracy.value,
            xerr=[[leak.value - leak.low], [leak.high - leak.value]],
            yerr=[[accuracy.value - accuracy.low], [accuracy.high - accuracy.value]],
            fmt=form,
            color=colors[color],
            elinewidth=0.8,
            markersize=6,
        )
    for told, place, height in beside(axes, [(runs(numbers), place) for numbers, place in labels(frontier)]):
        axes.annotate(told, place, xytext=(5, height), textcoords="offset points", color=colors[0])
    line = frontier.pareto
    axes.plot([row.leak for row in line], [row.accuracy for row in line], color=rule, linewidth=1, zorder=0)
    axes.set_xlabel("worst leak: share of members found at few false alarms")
    axes.set_ylabel("accuracy on unseen records")
    axes.spines[["top", "right"]].set_visible(False)
    return axes
