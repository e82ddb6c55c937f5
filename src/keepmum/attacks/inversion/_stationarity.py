"""Why the closed form works or not: is the model where its objective is smallest, and how much noise hides a row?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._glm import Glm, gradient, pull

SMALL = 0.01
"""Gradient left over, in units of one row's own, from which on the closed form is off."""
EXACT = 1e-10
"""Error of the median row, in units of the largest label or value, that is rounding and nothing else."""
BY_GRADIENT = ("lbfgs", "newton-cg", "newton-cholesky")
"""Solvers that stop where no entry of the mean gradient is larger than ``tol``."""
DRAWS = 7
FINEST, COARSEST, STEP = -40.0, 8.0, 0.5
"""Noise that is tried, as powers of two of the coefficients' own size, and how finely."""


def remainder(model: Glm, X: Floats, truth: Floats) -> tuple[float, float]:
    """Norm of the gradient of the objective, and the same in units of the median row's own; infinite if that is 0."""
    rest = gradient(model, pull(model, X, truth))
    size = math.hypot(float(np.linalg.norm(rest.intercepts)), float(np.linalg.norm(rest.coefficients)))
    errors = np.linalg.norm(model.answers(X) - truth, axis=1)
    if np.median(errors) <= EXACT * np.abs(truth).max():
        return size, math.inf
    return size, size / float(np.median(errors * np.sqrt(1 + (X**2).sum(axis=1))))


def why(estimator: Any, model: Glm, X: Floats, truth: Floats) -> str:
    """Why the closed form fails, in half a sentence; empty where the coefficients are as exact as it needs."""
    size, ratio = remainder(model, X, truth)
    if ratio <= SMALL:
        return ""
    if math.isinf(ratio):
        return "the model fits every row exactly, so that none has a share of its own in the coefficients"
    rest = gradient(model, pull(model, X, truth))
    steepest = float(max(np.abs(rest.intercepts).max(), np.abs(rest.coefficients).max())) / len(X)
    left = f"the gradient that is left ({size:.2g}) is {_times(ratio)} one row's own"
    solver, tol = getattr(estimator, "solver", ""), getattr(estimator, "tol", 0.0)
    early = f"the solver stopped early, at tol={tol:g}: {left}; with tol=1e-8 a missing row would be had exactly"
    other = f"the rows given are not all that it was trained on, or had unequal weights: {left}"
    if solver in BY_GRADIENT:
        if steepest <= 2 * tol:
            return early
        steps = getattr(estimator, "n_iter_", None)
        if steps is not None and np.max(steps) >= estimator.max_iter:
            return f"the solver ran out of steps (max_iter={estimator.max_iter}): {left}"
        return other
    return f"either {early}; or {other.partition(': ')[0]}" if solver not in ("", "auto", "svd", "cholesky") else other


def _times(ratio: float) -> str:
    return f"{ratio:.0%} of" if ratio < 1 else f"{ratio:,.1f} times" if ratio < 100 else f"{ratio:,.0f} times"


def stopping_noise(
    model: Glm, fails: Callable[[Glm], bool], rng: np.random.Generator
) -> tuple[Floats, list[tuple[Floats, Floats]]]:
    """Smallest standard deviation of Gaussian noise on coefficients and intercepts at which an attack fails.

    Args:
      model: The model, on which it does not fail.
      fails: Whether the attack fails on a model.
      rng: Where the noise comes from.

    Returns:
      The standard deviation for each of `DRAWS` draws, found by bisection over powers of two, and the draws, each of
      standard deviation 1.
    """
    size = float(np.sqrt((model.coefficients**2).mean())) or 1.0
    draws = [(rng.normal(size=model.coefficients.shape), rng.normal(size=model.intercepts.shape)) for _ in range(DRAWS)]
    found = np.empty(DRAWS)
    for place, (slopes, offsets) in enumerate(draws):
        works, stops = FINEST, COARSEST
        while stops - works > STEP:
            middle = (works + stops) / 2
            noise = size * 2.0**middle
            works, stops = (works, middle) if fails(model.moved(noise * slopes, noise * offsets)) else (middle, stops)
        found[place] = size * 2.0**stops
    return found, draws
