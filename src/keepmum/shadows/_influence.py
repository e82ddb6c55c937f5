"""Multinomial logistic regression on random halves, from one fit of all records at half weight.

A record's leverage is a matrix here, ``A = (I⊗x)ᵀ H⁻¹ (I⊗x)`` over the K classes, without the record itself
``(I - A W)⁻¹ A`` with ``W`` its own part of the Hessian. The record's logits without it are ``z + A f / 2`` and with it
solve ``t + A C (p(t) - e) = `` those, as in `keepmum.shadows._cavity`; logits vary as if each other record were put in
or left out by a coin, moving them by its force through the Hessian (Efron and Stein's sum). The Hessian is that of the
half weights for every half: what it misses is little where there are several records a parameter.

References:
  Koh, Liang. Understanding Black-box Predictions via Influence Functions. ICML 2017, arXiv:1703.04730, section 2.
  Efron, Stein. The Jackknife Estimate of Variance. Annals of Statistics 9 (1981), 586-596.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SOLVER_STEPS = 4


def halves(X: Floats, y: NDArray[np.intp], strength: float, ridge: Floats, logits: Floats) -> tuple[Floats, Floats]:
    """Means and variances of the scaled logit of the true class, inside and outside, each ``(2, n)``.

    Args:
      X: ``(n, d)`` columns as the regression sees them, that of the intercept among them.
      y: ``(n,)`` classes, 0 … K-1.
      strength: ``C`` of the objective.
      ridge: ``(d,)`` penalty of each column.
      logits: ``(n, K)`` of the fit of all records at half weight.
    """
    K = logits.shape[1]
    true = np.eye(K)[y]
    chance = _softmax(logits)
    weight = strength / 2 * _curvature(chance)
    inverse = np.asarray(np.linalg.inv(_hessian(X, weight, ridge)), dtype=np.float64)
    leverage = _own(X, inverse, K)
    apart = np.asarray(np.linalg.solve(np.eye(K) - leverage @ weight, leverage), dtype=np.float64)
    without = logits + _apply(apart, strength / 2 * (chance - true))
    inside = _solve(without, logits, true, strength * apart)
    force = strength * (_softmax(inside) - true)
    force = np.asarray(np.linalg.solve(np.eye(K) - weight @ leverage, force[..., None])[..., 0], dtype=np.float64)
    spread = inverse @ _hessian(X, force[:, :, None] * force[:, None, :] / 4, 0 * ridge) @ inverse
    moved = np.eye(K) + strength * apart @ _curvature(_softmax(inside))
    return _margin(X, inside, y, spread, moved), _margin(X, without, y, spread)


def _margin(X: Floats, logits: Floats, y: NDArray[np.intp], spread: Floats, moved: Floats | None = None) -> Floats:
    """Mean and variance of the log-odds of the true class, ``(2, n)``, by its gradient at the mean logits.

    Inside, the record holds its own logits fast: they move by the inverse of ``moved`` times what they move without it.
    """
    rows = np.arange(len(y))
    others = logits.copy()
    others[rows, y] = -np.inf
    top = others.max(axis=1)
    odds = np.exp(others - top[:, None])
    gradient = -odds / odds.sum(axis=1, keepdims=True)
    gradient[rows, y] = 1.0
    if moved is not None:
        gradient = np.linalg.solve(moved.transpose(0, 2, 1), gradient[..., None])[..., 0]
    along = (gradient[:, :, None] * X[:, None, :]).reshape(len(y), -1).astype(np.float32)
    total = np.einsum("ij,ij->i", along @ spread.astype(np.float32), along, dtype=np.float64)
    value = logits[rows, y] - top - np.log(odds.sum(axis=1))
    return np.stack([value, np.maximum(total, 1e-12)])


def _hessian(X: Floats, weight: Floats, ridge: Floats) -> Floats:
    """``Σ weight_i ⊗ x_i x_iᵀ`` with the penalty, ``(K d, K d)``; single precision is enough for the sums."""
    K, d = weight.shape[1], X.shape[1]
    result, light = np.empty((K, d, K, d)), X.astype(np.float32)
    weight = weight.astype(np.float32)
    for k in range(K):
        for other in range(k + 1):
            block = (light * weight[:, k, other][:, None]).T @ light
            result[k, :, other], result[other, :, k] = block, block.T
        result[k, :, k] += np.diag(ridge)
    return result.reshape(K * d, K * d)


def _own(X: Floats, inverse: Floats, K: int) -> Floats:
    """``(I⊗x)ᵀ H⁻¹ (I⊗x)`` of each record, ``(n, K, K)``."""
    n, d = X.shape
    light, lighter = X.astype(np.float32), inverse.astype(np.float32)
    rows = [(light @ lighter[k * d : (k + 1) * d]).reshape(n, K, d) for k in range(K)]
    return np.stack([(row @ light[:, :, None])[..., 0] for row in rows], axis=1).astype(np.float64)


def _solve(without: Floats, start: Floats, true: Floats, leverage: Floats) -> Floats:
    """The t with ``t + leverage (p(t) - e) = without``, by Newton's method."""
    t = start.copy()
    for _ in range(SOLVER_STEPS):
        chance = _softmax(t)
        residual = t + _apply(leverage, chance - true) - without
        slope = np.eye(t.shape[1]) + leverage @ _curvature(chance)
        t -= np.linalg.solve(slope, residual[..., None])[..., 0]
    return t


def _softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def _curvature(chance: Floats) -> Floats:
    return chance[:, :, None] * (np.eye(chance.shape[1]) - chance[:, None, :])


def _apply(matrices: Floats, vectors: Floats) -> Floats:
    return np.asarray((matrices @ vectors[..., None])[..., 0])
