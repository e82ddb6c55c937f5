"""Accuracy against the worst leak, as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keepmum.harden._verdict import LEAKS, Verdict, rate_of

if TYPE_CHECKING:
    from keepmum.harden.frontier import Frontier, Row

MARKS = {
    Verdict.UNDEFENDED: ("D", 0),
    Verdict.WORKS: ("o", 1),
    Verdict.MASKING: ("s", 2),
    Verdict.BACKFIRED: ("X", 3),
    Verdict.NOTHING: ("v", 2),
    Verdict.UNDECIDED: ("v", 2),
}
"""Form and color by verdict: no verdict is told by its color alone."""
NEAR = 0.02
"""Share of the picture's width or height within which labels would cover each other."""
COLORS = ("#222222", "#1b6e3c", "#5b6470", "#a4271d")


def worst(row: Row) -> str:
    """Name of the largest of a row's leaks."""
    names = [name for leak in LEAKS if (name := rate_of(row.metrics, leak)) is not None]
    return max(names, key=lambda name: row.metrics[name].value)


def labels(frontier: Frontier) -> list[tuple[list[int], tuple[float, float]]]:
    """Numbers of rows with the point that they stand at; rows that would hide each other's number share one label."""
    points = {number: (row.leak, row.accuracy) for number, row in enumerate(frontier.rows) if row.metrics}
    across, up = (max(values) - min(values) for values in zip(*points.values(), strict=True))
    found: list[tuple[list[int], tuple[float, float]]] = []
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
    for numbers, place in labels(frontier):
        axes.annotate(runs(numbers), place, xytext=(5, 5), textcoords="offset points", color=colors[0])
    line = frontier.pareto
    axes.plot([row.leak for row in line], [row.accuracy for row in line], color=rule, linewidth=1, zorder=0)
    axes.set_xlabel("worst leak: share of members found at few false alarms")
    axes.set_ylabel("accuracy on unseen records")
    axes.spines[["top", "right"]].set_visible(False)
    return axes
