"""From raw findings to outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from keepmum.findings import (
    CLASS_LEVEL,
    EXTRACTABLE,
    IDENTITY_LEVEL,
    MEMORIZED,
    NO_EVIDENCE,
    NOTHING_BEYOND_IMPUTATION,
    POPULATION_LEVEL,
    RECORD_LEVEL,
    Check,
    Finding,
    Outcome,
)
from keepmum.stats.multiple import holm

LEVEL = 0.05
VERBATIM = frozenset({"structural/stored-records", "inversion/informed-adversary"})
"""Findings that hold records themselves against what was read out of the model."""


def settle(
    findings: Sequence[Finding], doubts: Sequence[str], others: Mapping[str, Sequence[str]] | None = None
) -> list[Finding]:
    """Final outcomes: pay for all attacks at once (Holm), then believe nothing that the instrument casts doubt on.

    Findings about other people than the rest, by their ids in ``others``, have doubts of their own.

    What stands verbatim in a model stands there whatever the split is like, so records that were read out of it are not
    doubted.
    """
    tested = [i for i, f in enumerate(findings) if f.p_value is not None]
    adjusted = holm(np.array([findings[i].p_value for i in tested], dtype=np.float64))
    settled = list(findings)
    for i, p_value in zip(tested, adjusted.tolist(), strict=True):
        outcome = findings[i].outcome
        if outcome is not Outcome.INCONCLUSIVE:
            outcome = Outcome.LEAK if p_value <= LEVEL else Outcome.NO_LEAK_FOUND
        reason = findings[i].reason
        mine = (others or {}).get(findings[i].id, doubts)
        if mine and findings[i].id not in VERBATIM:
            outcome, reason = Outcome.INCONCLUSIVE, mine[0]
        settled[i] = replace(
            findings[i],
            adjusted_p_value=p_value,
            outcome=outcome,
            reason=reason,
            verdict=_verdict(findings[i], outcome),
        )
    return settled


def _verdict(finding: Finding, outcome: Outcome) -> str:
    """The kind of leakage once all attacks are paid for: what is not shown of these people is said of all, or not."""
    if outcome is Outcome.INCONCLUSIVE or not finding.verdict:
        return ""
    if outcome is Outcome.LEAK:
        return finding.verdict
    if finding.verdict in (EXTRACTABLE, MEMORIZED):
        return NO_EVIDENCE
    if finding.verdict not in (RECORD_LEVEL, IDENTITY_LEVEL):
        return finding.verdict
    beyond = finding.metrics.get("advantage_over_imputation")
    if beyond is None:
        return CLASS_LEVEL
    return POPULATION_LEVEL if beyond.low > 0 else NOTHING_BEYOND_IMPUTATION


def doubts(instrument: Mapping[str, Check]) -> list[str]:
    """Why findings about members and non-members cannot be believed, if so."""
    words = {
        "power": "too few people",
        "blind_baseline": "the split leaks, not the model",
        "positive_control": "the instrument would not have seen a leak",
        "negative_control": "the instrument raises false alarms",
        "overlap": "most records stand on both sides",
        "direction": "members and non-members may be swapped",
    }
    return [f"{words[name]}. {instrument[name].explanation}" for name in words if _failed(instrument, name)]


def _failed(instrument: Mapping[str, Check], name: str) -> bool:
    return name in instrument and instrument[name].passed is False


def overall(findings: Sequence[Finding]) -> Outcome:
    """The report's outcome: a leak anywhere is a leak; doubt anywhere is doubt; silence is only ever "not found".

    Duplicates across the split say nothing about the model, so their absence alone is no answer.
    """
    outcomes = [
        f.outcome for f in findings if f.id != "structural/duplicates" or f.outcome is not Outcome.NO_LEAK_FOUND
    ]
    if Outcome.LEAK in outcomes:
        return Outcome.LEAK
    if Outcome.INCONCLUSIVE in outcomes or Outcome.NO_LEAK_FOUND not in outcomes:
        return Outcome.INCONCLUSIVE
    return Outcome.NO_LEAK_FOUND
