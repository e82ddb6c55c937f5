"""The sentences of a report that are not an attack's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from keepmum._settle import doubts, overall
from keepmum.attacks import attack_classes
from keepmum.attacks.attribute import NOT_NAMED
from keepmum.findings import EXTRACTABLE, FAMILIES, IDENTITY_LEVEL, Check, Coverage, Finding, Outcome, Played

LIMITS = (
    "No finding proves that a model gives nothing away: it speaks of the attacks listed, at the power stated.",
    "Members and non-members must come from one source, divided at random; the blind baseline looks for signs that "
    "they were not, and cannot see every one.",
    "Intervals speak of people like those in the sample and of this one trained model, not of the training procedure.",
    "epsilon_lower_bound is how far this attack tells this model's members from others. It speaks against a claim of "
    "differential privacy only if each record was put in or left out at random and the answers about different people "
    "can be taken as independent.",
    "Of attributes that no one named as hidden (--hidden COLUMN) nothing was looked for, and of texts only in audits "
    "of language models.",
)

NO_LANGUAGE_MODEL = "text is drawn out of language models: keepmum.audit_text, or keepmum audit FOLDER --secrets FILE"

STATUS = {
    Outcome.LEAK: "executed",
    Outcome.NO_LEAK_FOUND: "executed",
    Outcome.INCONCLUSIVE: "executed",
    Outcome.NOT_APPLICABLE: "not_applicable",
    Outcome.SKIPPED: "skipped",
    Outcome.ERROR: "failed",
}


UNPLAYED: Mapping[str, str] = MappingProxyType({"attribute": NOT_NAMED, "extraction": NO_LANGUAGE_MODEL})
"""Why a family was not played at all, where more can be said than that nobody asked for it."""


def coverage(findings: Sequence[Finding], unplayed: Mapping[str, str] = UNPLAYED) -> dict[str, Coverage]:
    """What became of each family of attacks; ``unplayed`` tells why of families without a finding."""
    known = {cls.id.split("/", 1)[0] for cls in attack_classes()}
    result = {}
    for family in FAMILIES:
        played = tuple(Played(f.id, STATUS[f.outcome], f.reason) for f in findings if f.family == family)
        statuses = [p.status for p in played]
        status = next((s for s in ("executed", "failed", "skipped", "not_applicable") if s in statuses), "skipped")
        reason = "" if status == "executed" else next((p.reason for p in played), "not asked for")
        if family not in known and not played:
            status, reason = "not_implemented", "not part of this version"
        elif not played:
            reason = unplayed.get(family, reason)
        result[family] = Coverage(family, status, reason, played)
    return result


def verdict(findings: Sequence[Finding], instrument: Mapping[str, Check]) -> str:
    """One sentence or two that a lay person understands."""
    outcome = overall(findings)
    if outcome is Outcome.LEAK:
        leaks = [f for f in findings if f.outcome is Outcome.LEAK]
        return f"This model gives away {_what(leaks)}. {worst(leaks).explanation}"
    if outcome is Outcome.INCONCLUSIVE:
        reasons = doubts(instrument) or [f.reason for f in findings if f.outcome is Outcome.INCONCLUSIVE and f.reason]
        reasons = reasons or [f.reason for f in findings if f.reason] or ["no attack could be run"]
        return f"Nothing can be said about this model: {reasons[0].rstrip('.')}."
    played = sum(f.outcome is Outcome.NO_LEAK_FOUND and f.id != "structural/duplicates" for f in findings)
    smallest = instrument["power"].counts.get("detectable_auc", 1.0) if "power" in instrument else 1.0
    return (
        f"No leak was found by the {played} checks that were run. A leak that lets an attacker rank a member above a "
        f"non-member in {100 * smallest:.0f} of 100 pairs would have been found in 4 of 5 audits of this size."
    )


def _what(leaks: Sequence[Finding]) -> str:
    """What leaks, in a clause."""
    subjects = list(dict.fromkeys(f.subject for f in leaks if f.subject))
    parts = []
    if any(f.family in ("membership", "structural") for f in leaks):
        parts.append("who was in its training data")
    if subjects:
        parts.append(f"the {' and the '.join(subjects)} of people in its training data")
    recited = [f.verdict for f in leaks if f.family == "extraction"]
    if recited:
        said = "which can be drawn out of it" if EXTRACTABLE in recited else "by favoring it over other text"
        parts.append(f"text of its training data, {said}")
    drawn = [f.verdict for f in leaks if f.family == "inversion"]
    if drawn:
        parts.append(f"what {'people' if IDENTITY_LEVEL in drawn else 'records'} in its training data look like")
    return ", and ".join(parts)


def worst(leaks: Sequence[Finding]) -> Finding:
    """The leak to put first: the one whose accusations are surest, else the one that ranks people best."""

    def order(finding: Finding) -> tuple[float, float, float]:
        right, area = finding.metrics.get("precision"), finding.metrics.get("auc")
        return (1.0 if right else 0.0, right.low if right else 0.0, area.low if area else 0.0)

    return max(leaks, key=order)
