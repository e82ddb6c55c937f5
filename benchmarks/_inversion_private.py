"""What differential privacy takes from a picture: the person, or also the class."""

from __future__ import annotations

from typing import Any

import numpy as np
from _inversion_controls import crossover, picture_of
from _inversion_people import World, digits
from common import Bars, at_least, at_most, table

from keepmum.data import Records, Split
from keepmum.targets.torch import TorchTarget

EPSILONS = (np.inf, 8.0, 2.0)
DELTA = 1e-5
STEPS, RATE, CLIP = 60, 4.0, 1.0
SIZES = (1, 80)
"""Images of a class that the model is trained on: one person a class, or a class of many."""
DRAWS = 4
HEAD = ["images a class", "epsilon", "accuracy", "named by class means", "like the class mean", "gap", "standard error"]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    """Softmax regression of five digits by full-batch gradient descent, with noise and without."""
    X, y, what = digits()
    rows, seen = [], {}
    for size in SIZES:
        for epsilon in EPSILONS:
            row = seen[size, epsilon] = _measured(X, y, size, epsilon, 2 if quick else DRAWS)
            rows.append([size, "none" if epsilon == np.inf else f"{epsilon:g}", *row.values()])
    one, many = SIZES
    strict = EPSILONS[-1]
    bars = {
        "singletons_gap_without_privacy": at_least(float(seen[one, np.inf]["gap"]), 0.1),
        "singletons_gap_with_privacy": at_most(float(seen[one, strict]["gap"]), 0.05),
        "many_named_with_privacy": at_least(float(seen[many, EPSILONS[1]]["named"]), 0.6),
    }
    note = (
        f"{what}; five digits are the classes, the others the attacker's own images. Softmax regression, trained by "
        f"{STEPS} steps of full-batch gradient descent; with privacy each image's gradient is clipped to a norm of "
        f"{CLIP:g} and Gaussian noise is added to the sum: epsilon at delta {DELTA:g} is that of one Gaussian "
        "mechanism (exact for full batches; an image added or removed). Pictures by white-box gradient descent; chance "
        "of being named is 0.2. Gap: nearer to the images trained on than to as many of the same digit that were not, "
        "in two worlds in which they are exchanged."
    )
    return bars, [table("What differential privacy takes away", HEAD, rows, note)]


def _measured(X: np.ndarray, y: np.ndarray, size: int, epsilon: float, draws: int) -> dict[str, str]:
    gaps, named, alike, accuracy = [], [], [], []
    for draw in range(draws):
        pair, means = _worlds(X, y, size, epsilon, draw)
        pictures = [picture_of(world) for world in pair]
        gaps.append(crossover(pictures, pair))
        accuracy += [world.accuracy for world in pair]
        for made in pictures:
            likeness = np.corrcoef(np.concatenate([made.reshape(5, -1), means]))[:5, 5:]
            named.append((likeness.argmax(axis=1) == np.arange(5)).mean())
            alike.append(np.diagonal(likeness).mean())
    every = np.concatenate(gaps)
    error = every.std(ddof=1) / len(every) ** 0.5
    numbers = [np.mean(accuracy), np.mean(named), np.mean(alike), every.mean(), error]
    names = ["accuracy", "named", "alike", "gap", "error"]
    return {name: f"{value:.3f}" for name, value in zip(names, numbers, strict=True)}


def _worlds(
    X: np.ndarray, y: np.ndarray, size: int, epsilon: float, draw: int
) -> tuple[tuple[World, World], np.ndarray]:
    """Two worlds whose sides are exchanged, and the mean of all images of each digit, ``(5, pixels)``."""
    rng = np.random.default_rng([draw, size, 7])
    names = rng.permutation(10)
    flat = X.reshape(len(X), -1).astype(np.float32)
    mine = [rng.permutation(np.flatnonzero(y == name))[: 2 * size] for name in names[:5]]
    labels = np.repeat(np.arange(5), size)
    sides = [
        Records(flat[np.concatenate([m[half] for m in mine])], labels) for half in (slice(size), slice(size, None))
    ]
    others = rng.permutation(np.flatnonzero(np.isin(y, names[5:])))[:800]
    public = Records(flat[others], np.zeros(len(others), dtype=np.intp))
    made = [
        World(_trained(members, epsilon, draw), Split(members, heldout, public), X.shape[1:])
        for members, heldout in (sides, sides[::-1])
    ]
    return (made[0], made[1]), np.stack([flat[y == name].mean(axis=0) for name in names[:5]])


def _trained(members: Records, epsilon: float, seed: int) -> TorchTarget:
    """Softmax regression by gradient descent on the sum of clipped gradients, with noise where epsilon is finite."""
    import torch

    rng = np.random.default_rng([seed, 11])
    X = np.column_stack([np.asarray(members.X, dtype=np.float64), np.ones(len(members))])
    truth = np.eye(5)[members.y]
    weights = np.zeros((X.shape[1], 5))
    sigma = 0.0 if epsilon == np.inf else noise_multiplier(epsilon, DELTA, STEPS)
    for _ in range(STEPS):
        scores = X @ weights
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        off = p / p.sum(axis=1, keepdims=True) - truth
        norms = np.linalg.norm(off, axis=1) * np.linalg.norm(X, axis=1)  # of the outer product of the two
        total = X.T @ (off * np.minimum(1.0, CLIP / np.maximum(norms, 1e-12))[:, None])
        total += rng.normal(0, sigma * CLIP, weights.shape) if sigma else 0.0
        weights -= RATE * total / len(X)
    layer = torch.nn.Linear(X.shape[1] - 1, 5)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(weights[:-1].T))
        layer.bias.copy_(torch.as_tensor(weights[-1]))
    return TorchTarget(torch.nn.Sequential(layer), np.arange(5))


def noise_multiplier(epsilon: float, delta: float, steps: int) -> float:
    """Noise for each of some full-batch steps, in units of the clipping norm.

    The steps together are one Gaussian mechanism (Dong, Roth, Su 2022, corollary 3.3), whose delta is exact (Balle,
    Wang 2018, theorem 8).
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    def off(mu: float) -> float:
        return float(norm.cdf(mu / 2 - epsilon / mu) - np.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)) - delta

    return float(np.sqrt(steps) / brentq(off, 1e-3, 10 * epsilon))
