"""Logistic regression on random halves of its records, without fitting any: means and variances of every logit.

The fit on a random half minimizes ``C Σ s_i l_i(x_i·θ) + θ·Λθ / 2`` with each ``s_i`` 0 or 1. Leave record i out of it:
its logit is then z, which varies from half to half as a normal variable of mean ``m_i`` and variance ``v_i``. Putting
the record back in moves its own logit to the solution t of ``t + C a_i l'(t) = z``, where ``a_i`` is its leverage,
``x_i·H⁻¹x_i`` in the Hessian of the others; on the others it acts with the force ``F = C l'(t)``. So all records act on
each other through three numbers each, which are found by turns:

* the mean force ``f_i = E F / 2`` and its slope ``u_i = E F' / 2``, over z and the coin ``s_i``,
* the mean fit, ``Λθ = -Σ f_i x_i``, by Newton steps with the Hessian ``Σ ω_i x_i x_iᵀ + Λ``, ``ω = u / (1 - a u)``,
* leverages from that Hessian, each record's own part taken out: ``a = h / (1 - ω h)``,
* variances from the part of the forces that is not such a response, ``Var F s - u² v``, through the same Hessian.

The first step alone is the influence function with its leave-one-out correction. The further ones matter where there
are few records a column: the Hessian then differs from half to half, and so do the forces.

References:
  Koh, Liang. Understanding Black-box Predictions via Influence Functions. ICML 2017, arXiv:1703.04730, section 2 (the
  first step). Malzahn, Opper. A Statistical Mechanics Approach to Approximate Analytical Bootstrap Averages. NIPS 2002;
  Obuchi, Kabashima. Semi-Analytic Resampling in Lasso. JMLR 20 (2019), arXiv:1802.10254 (averages over resampled data
  without resampling; this is the case of halves and of the logistic loss).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(5)
WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
CLOSE = 0.05
"""Means have settled when what is left to go, if they go on at their pace, is this share of a standard deviation."""
MOST_TURNS = 12
STEPS = 3
"""Steps with one Hessian: they cost little beside it."""
SOLVER_STEPS = 6
LEAST = 0.05
"""Least share of its own freedom that a record is taken to keep while the turns are far from rest."""


@dataclass(frozen=True, eq=False)
class Halves:
    """Logits over models trained on random halves.

    Attributes:
      inside: ``(2, n)`` mean and variance of each record's logit over the models trained on it.
      outside: ``(2, n)`` the same over the models not trained on it.
      settled: Whether the turns came to rest.
    """

    inside: Floats
    outside: Floats
    settled: bool


def halves(X: Floats, y: Floats, strength: float, ridge: Floats, start: Floats, spread: float) -> Halves:
    """Means and variances of logits over random halves.

    Args:
      X: ``(n, d)`` columns as the regression sees them, that of the intercept among them.
      y: ``(n,)`` 0 or 1.
      strength: ``C`` of the objective.
      ridge: ``(d,)`` diagonal of ``Λ``; nearly 0 for an intercept that is not penalized.
      start: ``(n,)`` mean logits to begin at, of a few models of the kind.
      spread: Their variance.
    """
    with np.errstate(all="ignore"):
        try:
            return _turns(X, y, strength, ridge, start, spread)
        except (np.linalg.LinAlgError, ValueError):  # numbers beyond all bounds
            nothing = np.full((2, len(y)), np.nan)
            return Halves(nothing, nothing, False)


def _turns(X: Floats, y: Floats, strength: float, ridge: Floats, start: Floats, spread: float) -> Halves:
    from scipy.linalg import cho_solve

    light, buffer = X.astype(np.float32), np.empty(X.shape, dtype=np.float32)
    variance = np.full(len(y), spread)
    force, weight, loose = _forces(start, variance, np.full(len(y), 1e-9), y, strength)
    theta, shares, before, last, settled = None, np.ones(len(y)), start, np.inf, False
    for turn in range(MOST_TURNS):
        root = np.asarray(np.linalg.cholesky(_gram(light, weight, buffer) + np.diag(ridge)), dtype=np.float64)
        whitened = _whiten(root, light)
        leverage = np.einsum("ij,ij->j", whitened, whitened).astype(np.float64)
        own = leverage / np.maximum(1 - weight * leverage, LEAST)
        if theta is None:
            theta = cho_solve((root, True), X.T @ (weight * start - force))
        if turn:
            variance = _variance(whitened, loose, shares, own, force, buffer)
        for _ in range(STEPS if turn else 1):
            mean = X @ theta + own * force
            force, slope, loose = _forces(mean, variance, own, y, strength)
            theta = theta - cho_solve((root, True), ridge * theta + X.T @ force)
        shares = 1 - own * slope
        step = float(np.sqrt(np.mean((mean - before) ** 2) / np.mean(variance)))
        pace = step / last
        settled = turn > 1 and pace < 1 and step * pace / (1 - pace) <= CLOSE
        if settled:
            break
        weight = slope / shares if pace < 1 else np.sqrt(weight * slope / shares)
        before, last = mean, step
    logits = _solve(_spread(mean, variance), y[:, None], strength * own[:, None])
    middle = logits @ WEIGHTS
    inside = np.stack([middle, (logits - middle[:, None]) ** 2 @ WEIGHTS])
    return Halves(inside, np.stack([mean, variance]), settled and bool(np.isfinite(inside).all()))


def _forces(mean: Floats, variance: Floats, own: Floats, y: Floats, strength: float) -> tuple[Floats, Floats, Floats]:
    """Mean force, its slope, and the variance of what is not response, each ``(n,)``."""
    label, scale = y[:, None].astype(np.float32), own[:, None].astype(np.float32)
    logits = _solve(_spread(mean, variance).astype(np.float32), label, np.float32(strength) * scale)
    chance = 1 / (1 + np.exp(-logits))
    each, bend = np.float32(strength) * (chance - label), np.float32(strength) * chance * (1 - chance)
    force = each @ WEIGHTS / 2
    slope = (bend / (1 + bend * scale)) @ WEIGHTS / 2
    return force, slope, np.maximum(each**2 @ WEIGHTS / 2 - force**2 - slope**2 * variance, 1e-12 * strength**2)


def _variance(whitened: Singles, loose: Floats, shares: Floats, own: Floats, force: Floats, buffer: Singles) -> Floats:
    """Variance of each record's logit without the record, ``(n,)``.

    As every half has the same number of records, what all forces have in common does not vary.
    """
    spread = _gram(whitened.T, loose / shares**2, buffer)
    common = whitened @ (force / shares)
    spread -= np.outer(common, common) / len(own)
    total = np.einsum("ij,ij->j", spread.astype(np.float32) @ whitened, whitened).astype(np.float64)
    return np.asarray(np.maximum(total - own**2 * loose, 1e-3 * total) / shares**2)


def _spread(mean: Floats, variance: Floats) -> Floats:
    """Where the normal distribution is looked at, ``(n, nodes)``."""
    return np.asarray(mean[:, None] + np.sqrt(variance)[:, None] * NODES)


def _solve(z: Any, y: Any, strength: Any) -> Any:
    """The t with ``t + strength (σ(t) - y) = z``.

    Newton's method from the bend of σ, or from the end of the bracket next to it, comes down to t from one side.
    """
    t = np.clip(np.zeros_like(z), z - strength * (1 - y), z + strength * y)
    for _ in range(SOLVER_STEPS):
        chance = 1 / (1 + np.exp(-t))
        t -= (t + strength * (chance - y) - z) / (1 + strength * chance * (1 - chance))
    return t


def _gram(X: Singles, weight: Floats, buffer: Singles) -> Floats:
    """``Σ weight_i x_i x_iᵀ``: a product of one matrix with itself, for which half of the work is done.

    Single precision is enough for what Hessians are used for here: steps, leverages and variances.
    """
    np.multiply(X, np.sqrt(weight).astype(np.float32)[:, None], out=buffer)
    return np.asarray(buffer.T @ buffer, dtype=np.float64)


def _whiten(root: Floats, X: Singles) -> Singles:
    """``root⁻¹ Xᵀ``, ``(d, n)``."""
    from scipy.linalg import solve_triangular

    return np.asarray(solve_triangular(root.astype(np.float32), X.T, lower=True, check_finite=False))
