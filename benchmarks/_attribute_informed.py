"""The informed adversary on handwritten digits: all rows but one are known, and the missing one is computed."""

from __future__ import annotations

from typing import Any

import numpy as np
from common import Bars, at_least, at_most, pictures, table

import keepmum
from keepmum.attacks import Context
from keepmum.attacks.inversion import InformedAdversary
from keepmum.attacks.inversion._left_out import leave_one_out
from keepmum.data import Records, Split
from keepmum.findings import Finding, Outcome
from keepmum.targets import as_target

MEMBERS = 500
EXACT, TIGHT, USUAL = ("newton-cholesky", 1e-10), ("lbfgs", 1e-8), ("lbfgs", 1e-4)
"""Solver and tolerance; lbfgs, the default, stops short of 1e-10 whatever its tolerance."""
GOAL = 1e-4


def target(solver: str, tol: float) -> tuple[Any, Split]:
    from sklearn.linear_model import LogisticRegression

    X, y, _ = pictures(None, 2 * MEMBERS, 0)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order].astype(np.float64), y[order]
    members, others = Records(X[:MEMBERS], y[:MEMBERS]), Records(X[MEMBERS : 2 * MEMBERS], y[MEMBERS : 2 * MEMBERS])
    return LogisticRegression(solver=solver, tol=tol, max_iter=10_000).fit(members.X, members.y), Split(members, others)


def pixels(model: Any, split: Split) -> np.ndarray:
    """Largest error over the pixels of each of the missing pictures, where black is 0 and white is 1."""
    attack = InformedAdversary()
    at = as_target(model, split.pool.y, None, probe=split.pool)
    game = leave_one_out(at, split, Context().lend(attack.id), attack.people)
    return np.abs(game.recovered(game.model) - game.missing).max(axis=1)


def finding(model: Any, split: Split) -> Finding:
    sides = ((side.X, side.y) for side in (split.members, split.nonmembers))
    return keepmum.audit(model, *sides, attacks=[InformedAdversary()])[InformedAdversary.id]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    rows, found = [], {}
    for how in (EXACT, TIGHT, ("lbfgs", 1e-6), USUAL):
        model, split = target(*how)
        errors, told = pixels(model, split), finding(model, split)
        found[how] = (float(np.median(errors)), float(errors.max()), told)
        within = f"{(errors <= GOAL).mean():.2f}"
        rows.append([f"{how[0]}, tol={how[1]:g}", *(f"{v:.1e}" for v in found[how][:2]), within, told.outcome.value])
    said = found[USUAL][2].explanation
    note = f"Error in pixels between 0 and 1. What the audit says at tol={USUAL[1]:g}, scikit-learn's default: “{said}”"
    head = ["solver", "median error", "largest error", f"within {GOAL:g}", "outcome"]
    shown = table(f"Digits: the missing one of {MEMBERS} rows", head, rows, note)
    return {
        "informed_tight_largest_pixel_error": _small(found[EXACT][1], GOAL),
        "informed_tol_1e-8_median_pixel_error": _small(found[TIGHT][0], GOAL),
        "informed_tight_is_leak": at_least(found[TIGHT][2].outcome is Outcome.LEAK, 1.0),
        "informed_default_tol_recovered_share": at_most(found[USUAL][2].metrics["recovered_share"].value, 0.05),
        "informed_default_tol_says_why": at_least("tol" in said, 1.0),
    }, [shown]


def _small(value: float, goal: float) -> dict[str, Any]:
    """A bar whose value would vanish among four decimals."""
    return {**at_most(value, goal), "value": float(f"{value:.2e}"), "ok": bool(value <= goal)}
