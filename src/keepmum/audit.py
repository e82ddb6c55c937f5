"""Run attacks against a target and report what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from keepmum.attacks import Attack, Context, default_attacks
from keepmum.data import Split, as_records
from keepmum.findings import Coverage, Finding, Outcome
from keepmum.report import Report
from keepmum.stats.multiple import holm
from keepmum.targets import FunctionScores, Target, from_sklearn
from keepmum.targets._remembered import remembered


def audit(
    model: Any, members: Any, nonmembers: Any, *, attacks: Sequence[Attack[Any]] | None = None, seed: int = 0
) -> Report:
    """Audit a model."""
    split = Split(as_records(members, "members"), as_records(nonmembers, "nonmembers"))
    target = model if isinstance(model, Target) else from_sklearn(model)
    asked = remembered(target)
    ctx = Context(seed=seed)
    findings = [a.run(asked, split, ctx.lend(a.name)) for a in attacks or default_attacks() if not a.inapplicable(asked, split)]
    adjusted = holm(np.array([f.p_value for f in findings]))
    findings = [replace(f, adjusted_p_value=float(p), outcome=Outcome.LEAK if p <= 0.05 else Outcome.NO_LEAK_FOUND) for f, p in zip(findings, adjusted)]
    worst = Outcome.LEAK if any(f.outcome == Outcome.LEAK for f in findings) else Outcome.NO_LEAK_FOUND
    return Report(worst, "", tuple(findings), {}, {})
