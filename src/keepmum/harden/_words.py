"""The table of a frontier as text."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keepmum.harden._verdict import rate_of

if TYPE_CHECKING:
    from keepmum.harden.frontier import Frontier, Row
    from keepmum.stats import Estimate

SHORT = {
    "population": "people",
    "canary": "canaries",
    "population_label_only": "people, labels",
    "canary_label_only": "canaries, labels",
}
LIMITS = (
    "A verdict speaks of this recipe and these records. Attackers who know more, or other attacks, may find more: that "
    "a leak fell here bounds nothing. Only differentially private training has a bound, and that is its own statement.",
    "Intervals are made from models and records drawn anew; verdicts look at four leaks for each defense and are not "
    "corrected for the number of defenses.",
    "Canaries have a wrong label. They stand for the people whom the model can only remember, not for most.",
)


def heads(frontier: Frontier) -> list[str]:
    """Heads of the columns of leaks, with the rate of false alarms that the sample resolves."""
    told = []
    for leak, short in SHORT.items():
        rate = rate_of(frontier.rows[0].metrics, leak)
        told.append(f"{short} @{float(rate.rsplit('_', 1)[1]):.0%}" if rate else short)
    return told


def cells(row: Row) -> list[str]:
    """Accuracy, calibration error, leaks, cost and bits of a row, with intervals."""
    if not row.metrics:
        return ["–"] * (4 + len(SHORT))
    shown = [interval(row.metrics["accuracy"]), interval(row.metrics["calibration_error"])]
    for leak in SHORT:
        rate = rate_of(row.metrics, leak)
        shown.append(interval(row.metrics[rate]) if rate else "–")
    cost = "–" if math.isnan(row.cost) else f"{row.cost:.1f}"
    return [*shown, cost, "all" if row.bits is None else f"{row.bits:.1f}"]


def interval(estimate: Estimate) -> str:
    """A share with its interval, in percent."""
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def lines(frontier: Frontier) -> Iterator[list[str]]:
    """The table: number, name, verdict, and the cells."""
    for number, row in enumerate(frontier.rows):
        yield [str(number), row.name, str(row.verdict), *cells(row)]


def head(frontier: Frontier) -> list[str]:
    """The head of that table."""
    return ["", "defense", "verdict", "accuracy", "calibration error", *heads(frontier), "cost", "bits"]


def summary(frontier: Frontier) -> str:
    """What was done, in a sentence or two."""
    return (
        f"{frontier.models} models for each row, trained on halves of {frontier.people:,} people and "
        f"{frontier.canaries:,} canaries; each is attacked once with the others as shadow models behind the same "
        "defense. Shares in percent, with 95 % intervals."
    )


def markdown(frontier: Frontier) -> str:
    """The whole as Markdown."""
    top = head(frontier)
    table = [f"| {' | '.join(top)} |", f"|{'---|' * len(top)}"]
    table += [f"| {' | '.join(line)} |" for line in lines(frontier)]
    said = [f"* **{row.name}**: {row.verdict}. {row.reason or row.sentence}{inverted(row)}" for row in frontier.rows]
    best = [f"Knee of the frontier: {frontier.best.name}."] if frontier.measured else []
    parts = ["# Hardening", summary(frontier), *frontier.notes, "\n".join(table), "\n".join(said), *best, *LIMITS]
    return "\n\n".join(parts) + "\n"


def inverted(row: Row) -> str:
    """What came of inversion attacks, a sentence each."""
    return "".join(f" {name} {each.said}." for name, each in row.inversion.items())


def html_table(frontier: Frontier) -> str:
    """The table for a notebook."""
    from html import escape

    top = "".join(f"<th>{escape(text)}</th>" for text in head(frontier))
    body = "".join("<tr>" + "".join(f"<td>{escape(text)}</td>" for text in line) + "</tr>" for line in lines(frontier))
    return f"<p>{escape(summary(frontier))}</p><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
