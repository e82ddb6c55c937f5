"""What a defense did, as a rule on differences and their intervals, and as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from keepmum.stats import Estimate

MATERIAL = 0.1
"""Share of the undefended figure by which a leak must change at least."""
LEAST = 0.01
"""Least change that counts, as a rate."""
LEFT = 0.5
"""Share of a leak that must be left for certain before it is said to stay."""
LEAKS = {
    "population": "of people (scores)",
    "canary": "of canaries (scores)",
    "population_label_only": "of people (labels)",
    "canary_label_only": "of canaries (labels)",
    "twice": "of canaries that stand twice (scores)",
    "twice_label_only": "of canaries that stand twice (labels)",
}
"""The leaks that a verdict looks at."""


Ways = Mapping[str, int | None]


class Verdict(StrEnum):
    """What a defense did to what the model gives away."""

    WORKS = "works"
    PARTLY = "works in part"
    MASKING = "masking only"
    BACKFIRED = "backfired"
    NOTHING = "no effect"
    UNDECIDED = "undecided"
    UNDEFENDED = "undefended"
    NOT_RUN = "not run"


def rate_of(metrics: Mapping[str, object], leak: str) -> str | None:
    """The rate by which a leak is judged: TPR at the lowest FPR from 1 % up that the sample resolves, or None."""
    names = (f"{leak}_tpr_at_fpr_{fpr:g}" for fpr in (0.01, 0.05, 0.1))
    return next((name for name in names if name in metrics), None)


def chance(name: str) -> float:
    """What guessing reaches in a metric: the rate of false alarms, or half of all pairs."""
    return 0.5 if name.endswith("_auc") else float(name.rsplit("_", 1)[1])


def judged_by(metrics: Mapping[str, Estimate]) -> list[str]:
    """For each leak, the metric that it is judged by: the rate, or the AUC where only that is above chance.

    Where many records get equal scores, as trees give them, no few can be accused alone, and the rate at few false
    alarms says nothing.
    """
    found = []
    for leak in LEAKS:
        rate, area = rate_of(metrics, leak), f"{leak}_auc"
        if rate is not None and metrics[rate].low > chance(rate):
            found.append(rate)
        elif area in metrics and metrics[area].low > chance(area):
            found.append(area)
        elif rate is not None:
            found.append(rate)
    return found


def leaking(metrics: Mapping[str, Estimate]) -> list[str]:
    """Metrics of the undefended model that are above chance for certain."""
    return [name for name in judged_by(metrics) if metrics[name].low > chance(name)]


def changed(name: str, before: Estimate, gap: Estimate) -> int:
    """1 for a leak that rose for certain and by enough, -1 for one that fell so, else 0."""
    above = before.value - (0.5 if name.endswith("_auc") else 0.0)
    if abs(gap.value) < max(LEAST, MATERIAL * above):
        return 0
    return 1 if gap.low > 0 else -1 if gap.high < 0 else 0


def stays(name: str, before: Estimate, gap: Estimate) -> bool:
    """Whether more than half of what a leak has above chance is left for certain."""
    return gap.low > -LEFT * (before.value - chance(name))


def judge(undefended: Mapping[str, Estimate], gaps: Mapping[str, Estimate]) -> tuple[Verdict, Ways]:
    """Verdict, and which way each leak went: 1 up, -1 down, 0 stays, None where it cannot be told.

    *Backfired* if any leak rose. *Works* if every leak that the undefended model has fell: of people and of canaries,
    to whoever sees scores and to whoever sees labels. *Masking only* if what people leak by scores fell and something
    else stays, or if scores alone tell less and a leak by labels stays: the average looks better, the attacker who
    looks elsewhere sees what there was to see. That a change is not for certain does not make a leak stay: what fell in
    part without such a leak *works in part*.
    """
    ways = {name: _way(name, undefended[name], gaps[name]) for name in judged_by(undefended) if name in gaps}
    there = {name: ways[name] for name in leaking(undefended) if name in ways}
    fell = [name for name, way in ways.items() if way == -1]
    if 1 in ways.values():
        return Verdict.BACKFIRED, ways
    if not there:
        return Verdict.UNDECIDED, ways
    if all(way == -1 for way in there.values()):
        return Verdict.WORKS, ways
    by_labels = {name: way for name, way in there.items() if _leak_of(name).endswith("label_only")}
    average = any(_leak_of(name) == "population" for name in fell) and 0 in there.values()
    scores = bool(fell) and -1 not in by_labels.values() and 0 in by_labels.values()
    if average or scores:
        return Verdict.MASKING, ways
    return (Verdict.PARTLY if fell else Verdict.NOTHING), ways


def _way(name: str, before: Estimate, gap: Estimate) -> int | None:
    way = changed(name, before, gap)
    return None if way == 0 and not stays(name, before, gap) else way


def sentence(verdict: Verdict, ways: Ways, metrics: Mapping[str, Estimate], price: Estimate) -> str:
    """The verdict for a reader, with the price in accuracy; and what leaks of canaries that stand twice, if some do."""
    up, down, same = ([_named(name) for name, way in ways.items() if way == sign] for sign in (1, -1, 0))
    others = [_named(name) for name, way in ways.items() if way != -1]
    rest = f" No leak {_listed(others)} was seen in the first place." if others else ""
    cost = f" Accuracy changes by {100 * price.value:+.1f} points [{100 * price.low:+.1f}, {100 * price.high:+.1f}]."
    told = {
        Verdict.BACKFIRED: f"It gives away more than without: {_listed(up)}.",
        Verdict.WORKS: f"Every leak that the undefended model shows fell: {_listed(down)}.{rest}",
        Verdict.PARTLY: f"It lowers the leak {_listed(down)}; that {_listed(others)} is not lower for certain.",
        Verdict.MASKING: f"It lowers the leak {_listed(down)}, and not {_listed(same)}: what shrinks is what is shown.",
        Verdict.NOTHING: "For an attacker who knows the defense, no leak is lower for certain.",
        Verdict.UNDECIDED: "The undefended model shows no leak in this sample, so there is none to lower.",
        Verdict.UNDEFENDED: "The recipe as it is.",
        Verdict.NOT_RUN: "",
    }[verdict]
    if verdict in (Verdict.UNDEFENDED, Verdict.NOT_RUN):
        return told
    rate = rate_of(metrics, "twice")
    copies = f" Of canaries that stand twice, {100 * metrics[rate].value:.0f} % are found." if rate else ""
    return told + copies + cost


def by_area(metrics: Mapping[str, Estimate]) -> str:
    """Leaks of the undefended model that are judged by their AUC, each with it; empty if there are none."""
    areas = [name for name in judged_by(metrics) if name.endswith("_auc")]
    return _listed([_named(name).replace(")", f" {metrics[name].value:.2f})") for name in areas]) if areas else ""


def _named(rate: str) -> str:
    told = LEAKS[_leak_of(rate)]
    return told.replace(")", ", AUC)") if rate.endswith("_auc") else told


def _leak_of(name: str) -> str:
    return name.split("_tpr_at_", 1)[0].removesuffix("_auc")


def _listed(parts: list[str]) -> str:
    *some, last = parts or ["none"]
    return f"{', '.join(some)} and {last}" if some else last
