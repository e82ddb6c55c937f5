"""Fredrikson's case: from the dose of warfarin and what else is known of a patient to the gene VKORC1.

Half of the patients are the members, the others nobody's. The attacker's own people are the other half, each quarter
for the other, so that whoever is asked about is not among those that were learned from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from _attribute_people import game, pipeline, play, shuffled, warfarin
from common import Bars, about, at_least, at_most, table

from keepmum.attacks.attribute import hide
from keepmum.findings import RECORD_LEVEL, Finding

HIDDEN = "vkorc1_1639"


def models(seed: int) -> dict[str, Any]:
    from sklearn.linear_model import LinearRegression
    from sklearn.tree import DecisionTreeRegressor

    return {"linear model": LinearRegression(), "grown tree": DecisionTreeRegressor(random_state=seed)}


def race_alone(members: Any, others: Any) -> float:
    """Share of the members guessed right by the most frequent value of their race among the others."""
    usual = others[0].groupby("race")[HIDDEN].agg(lambda values: values.mode()[0])
    return float((members[0]["race"].map(usual) == members[0][HIDDEN]).mean())


def majority(members: Any, others: Any) -> float:
    """Share of the members guessed right by the most frequent value among the others."""
    return float((members[0][HIDDEN] == others[0][HIDDEN].mode()[0]).mean())


def rounds(quick: bool) -> Iterator[tuple[float, float, dict[str, dict[str, Finding]]]]:
    """By seed: majority, race alone, and what each attack finds in each model."""
    people = warfarin()
    for seed in range(1 if quick else 5):
        members, others = shuffled(people, (len(people[0]) // 2,), seed)
        split = game(members, others)
        fitted = {name: pipeline(model).fit(*members) for name, model in models(seed).items()}
        hidden = hide(HIDDEN, split)
        found = {name: play(model, split, hidden, seed) for name, model in fitted.items()}
        yield majority(members, others), race_alone(members, others), found


def hits(findings: list[Finding]) -> list[float]:
    """Share guessed right: of members, of non-members, by the best imputation of members."""
    sides = zip(*((f.metrics, f.control, f.baseline) for f in findings), strict=True)
    return [float(np.mean([told["hit_rate"].value for told in side])) for side in sides]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    played = list(rounds(quick))
    most, race = (float(np.mean([each[place] for each in played])) for place in (0, 1))
    rows: list[list[Any]] = [["majority, no model", most, "", "", ""], ["race alone, no model", race, "", "", ""]]
    told: dict[str, dict[str, list[float]]] = {}
    named: dict[str, int] = {}
    for model in played[0][2]:
        told[model] = {}
        for attack in played[0][2][model]:
            findings = [found[model][attack] for _, _, found in played]
            told[model][attack] = hits(findings)
            named[model] = named.get(model, 0) + sum(f.verdict == RECORD_LEVEL for f in findings)
            verdicts = ", ".join(sorted({f.verdict for f in findings}))
            rows.append([f"{attack}, {model}", *told[model][attack], verdicts])
    head = ["attack, model", "members", "non-members", "best imputation", "verdict"]
    note = f"Share guessed right, mean over {len(played)} halvings of {len(warfarin()[0]):,} patients."
    shown = table("Warfarin: VKORC1 from dose and record", head, rows, note)
    return bars(told, named, most, race), [shown]


def bars(told: dict[str, dict[str, list[float]]], named: dict[str, int], most: float, race: float) -> Bars:
    line, tree = told["linear model"], told["grown tree"]
    strongest = max(tree, key=lambda attack: tree[attack][0])
    dose = line.get("attribute/fredrikson", next(iter(line.values())))
    return {
        "warfarin_majority": about(most, 0.36, 0.03),
        "warfarin_race_alone": about(race, 0.63, 0.03),
        "warfarin_linear_members_minus_others": at_most(max(abs(a - b) for a, b, _ in line.values()), 0.03),
        "warfarin_linear_fredrikson_below_race_by": at_least(race - dose[0], 0.0),
        "warfarin_linear_record_level_findings": at_most(named["linear model"], 0),
        "warfarin_tree_members": at_least(tree[strongest][0], 0.91),
        "warfarin_tree_nonmembers": at_most(tree[strongest][1], 0.48),
        "warfarin_tree_by_answers_alone_members": at_least(tree["attribute/yeom"][0], 0.85),
        "warfarin_tree_by_answers_alone_nonmembers": at_most(tree["attribute/yeom"][1], 0.48),
        "warfarin_tree_record_level_findings": at_least(named["grown tree"], 1),
    }
