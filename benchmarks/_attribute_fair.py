"""Affairs: from a survey of women and how they rate their marriage to whether they had an affair."""

from __future__ import annotations

from typing import Any

import numpy as np
from _attribute_people import fair, game, pipeline, play, shuffled
from common import Bars, about, at_least, at_most, table

import keepmum
from keepmum.attacks.attribute import hide
from keepmum.findings import NOTHING_BEYOND_IMPUTATION, RECORD_LEVEL, Finding, Outcome

SIDE = 1_500
READS = "attribute/output-inversion"


def models(seed: int) -> dict[str, Any]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    return {"forest": RandomForestClassifier(random_state=seed), "logistic regression": LogisticRegression()}


Played = dict[tuple[str, str], list[Finding]]


def rounds(people: Any, seeds: int) -> tuple[Played, Played, dict[str, list[int]]]:
    """Findings by model and attack: of the raw game, and of an audit, which takes copies out first; its sizes."""
    raw: Played = {}
    audited: Played = {}
    sizes: dict[str, list[int]] = {"members": [], "nonmembers": []}
    for seed in range(seeds):
        members, others, public = shuffled(people, (SIDE, SIDE), seed)
        for name, model in models(seed).items():
            fitted = pipeline(model).fit(*members)
            split = game(members, others, public)
            for attack, finding in play(fitted, split, hide("affair", split), seed).items():
                raw.setdefault((name, attack), []).append(finding)
            report = keepmum.audit(
                fitted, members, others, population=public, hidden=["affair"], attacks=["attribute/*"], seed=seed
            )
            for finding in report.findings:
                if finding.metrics:
                    audited.setdefault((name, finding.id.split(":")[0]), []).append(finding)
            for side, kept in sizes.items():
                kept.append(report.sample[side])
    return raw, audited, sizes


def areas(findings: list[Finding]) -> list[float]:
    """Mean AUC: members, non-members, imputation."""
    sides = zip(*((f.metrics, f.control, f.baseline) for f in findings), strict=True)
    return [float(np.mean([told["attribute_auc"].value for told in side])) for side in sides]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    people = fair()
    if people is None:
        print("fair: skipped, needs statsmodels: pip install statsmodels")
        return {}, []
    seeds = 1 if quick else 5
    raw, audited, sizes = rounds(people, seeds)
    shown = []
    kept = " and ".join(f"{np.mean(count):,.0f}" for count in sizes.values())
    notes = {
        "as given": f"{SIDE:,} members, {SIDE:,} others, the rest the attacker's own; mean AUC of {seeds} draws.",
        "as audited": f"Copies across the split and within a side are taken out first: {kept} people are left.",
    }
    head = ["attack, model", "members", "non-members", "imputation", "verdict"]
    for (what, note), played in zip(notes.items(), (raw, audited), strict=True):
        rows = [
            [f"{attack}, {model}", *areas(findings), ", ".join(sorted({f.verdict for f in findings}))]
            for (model, attack), findings in played.items()
        ]
        shown.append(table(f"Affairs, {what}", head, rows, note))
    return bars(raw, audited), shown


def bars(raw: Played, audited: Played) -> Bars:
    members, others, imputed = areas(raw["forest", "attribute/confidence-prior"])
    line = [finding for (model, _), found in raw.items() if model == "logistic regression" for finding in found]
    line = [finding for finding in line if not finding.id.startswith(READS)]
    found: Bars = {
        "fair_forest_members_auc": about(members, 0.93, 0.03),
        "fair_forest_nonmembers_auc": about(others, 0.60, 0.03),
        "fair_forest_imputation_auc": about(imputed, 0.72, 0.03),
        "fair_forest_record_level_share": share(raw["forest", "attribute/confidence-prior"], RECORD_LEVEL, 1.0),
        "fair_forest_audited_record_level_share": share(
            audited["forest", "attribute/confidence-prior"], RECORD_LEVEL, 1.0
        ),
        "fair_logistic_nothing_beyond_imputation_share": share(line, NOTHING_BEYOND_IMPUTATION, 1.0),
        "fair_logistic_record_level_findings": at_most(sum(f.verdict == RECORD_LEVEL for f in line), 0),
    }
    reads = raw.get(("logistic regression", READS))
    if reads:
        members, others, _ = areas(reads)
        leaks = sum(f.outcome is Outcome.LEAK for f in reads)
        leaks += sum(f.outcome is Outcome.LEAK for f in audited.get(("logistic regression", READS), ()))
        found |= {
            "fair_logistic_output_inversion_members_auc": at_least(members, 0.995),
            "fair_logistic_output_inversion_nonmembers_auc": at_least(others, 0.995),
            "fair_logistic_output_inversion_called_leak": at_most(leaks, 0),
        }
    return found


def share(findings: list[Finding], verdict: str, goal: float) -> dict[str, Any]:
    """How many of the findings have this verdict."""
    return at_least(float(np.mean([finding.verdict == verdict for finding in findings])), goal)
