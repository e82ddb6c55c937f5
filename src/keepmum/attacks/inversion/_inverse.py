"""From a model's answers back to latent numbers: a regression, and the answer that a sure model would give."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion.oracle import FLOOR

DECAY = 1e-2
"""Weight of the network's squared coefficients."""
ROUNDS = 300
"""Passes over the probes that the network learns in at most."""


def features(answers: Floats) -> Floats:
    """Log-probabilities less their mean, ``(n, K)``: the logits of a softmax, but for what softmax leaves open."""
    logs = np.log(np.maximum(answers, FLOOR))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


class Inverse:
    """A regression from answers to latent numbers.

    Args:
      answers: ``(n, K)`` probabilities of the probes.
      latents: ``(n, d)`` their latent numbers.
      ridge: Weight of the squared coefficients, as a share of the variance of all features.
      hidden: Units of a hidden layer; 0 for a linear regression.
      seed: Seed of the network's first coefficients.
    """

    def __init__(self, answers: Floats, latents: Floats, ridge: float, hidden: int, seed: int) -> None:
        known = features(answers)
        self._center, self._scale = known.mean(axis=0), float(known.std(axis=0).mean()) or 1.0
        x = (known - self._center) / self._scale
        self._predict = _network(x, latents, hidden, seed) if hidden else _linear(x, latents, ridge)

    def ideal(self, place: int, sureness: Floats) -> Floats:
        """Latents of what a model would have seen that is so sure of a class, ``(m, d)``.

        Args:
          place: The class.
          sureness: ``(m,)`` how far its logit is above the probes' mean, in standard deviations; that of all others is
            below as far as makes their sum 0.
        """
        classes = len(self._center)
        away = np.full(classes, -1.0 / (classes - 1))
        away[place] = 1.0
        return self._predict(np.outer(sureness, away))


def _linear(x: Floats, latents: Floats, ridge: float) -> Callable[[Floats], Floats]:
    """Ridge regression; its intercept is the probes' mean, since the features have mean 0."""
    gram = x.T @ x + ridge * len(x) * max(float(x.var(axis=0).sum()), 1e-12) * np.eye(x.shape[1])
    slopes, middle = np.linalg.solve(gram, x.T @ (latents - latents.mean(axis=0))), latents.mean(axis=0)
    return lambda wanted: np.asarray(middle + wanted @ slopes)


def _network(x: Floats, latents: Floats, hidden: int, seed: int) -> Callable[[Floats], Floats]:
    """A network with one hidden layer; that it has not converged after so many passes is no fault."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    network = MLPRegressor(hidden_layer_sizes=(hidden,), alpha=DECAY, max_iter=ROUNDS, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(x, latents if latents.shape[1] > 1 else latents.ravel())
    return lambda wanted: np.asarray(network.predict(wanted), dtype=np.float64).reshape(len(wanted), -1)
