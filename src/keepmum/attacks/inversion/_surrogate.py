"""A linear model of what a classifier answers, to be searched without asking."""

from __future__ import annotations

import numpy as np

from keepmum.attacks.inversion._adam import Adam
from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion.oracle import FLOOR

RIDGE = 1.0
"""Penalty of the squared coefficients, in answers: less than one answer's worth of evidence is shrunk away."""
STEPS, RATE = 60, 0.1
"""Steps of a descent on the model, and the size of the first, in standard deviations of a latent number."""


class Surrogate:
    """Log-probabilities as linear functions of latents, and where their softmax is sure of a class.

    The log-probabilities of a classifier differ from its logits by the same amount for all classes, so that the softmax
    of the fitted ones is a multinomial logistic model of the classifier: a stand-in that has gradients and costs no
    query.

    Args:
      latents: ``(n, d)`` that were asked about, at least one.
      answers: ``(n, K)`` probabilities; below 1e-12 they count as that.
      middle: ``(d,)`` latent that the prior finds most usual.
      spread: Standard deviation of a latent number of the prior's samples.
    """

    def __init__(self, latents: Floats, answers: Floats, middle: Floats, spread: float) -> None:
        self._middle, self._spread = middle, spread
        x, y = (latents - middle) / spread, np.log(answers.clip(FLOOR))
        self._at, self._level = x.mean(axis=0), y.mean(axis=0)
        x, y = x - self._at, y - self._level
        n, d = x.shape
        if n > d:
            self._slopes = np.linalg.solve(x.T @ x + RIDGE * np.eye(d), x.T @ y)
        else:  # the same by another route, which costs the cube of the smaller side
            self._slopes = x.T @ np.linalg.solve(x @ x.T + RIDGE * np.eye(n), y)

    def logs(self, latents: Floats) -> Floats:
        """Fitted log-probabilities but for a constant for each latent, ``(m, K)`` for ``(m, d)``."""
        return np.asarray(self._level + ((latents - self._middle) / self._spread - self._at) @ self._slopes)

    def descend(self, place: int, starts: Floats, weight: float) -> Floats:
        """Where descents end that make the model sure of a class.

        Args:
          place: The class.
          starts: ``(m, d)`` latents.
          weight: Weight of the squared distance to the middle, halved, for each latent number: that of a Gaussian
            prior's log density. The rest of the objective is the cross-entropy in nats.

        Returns:
          ``(m, d)``.
        """
        u, adam = (starts - self._middle) / self._spread, Adam(RATE, scale=0.999)
        for step in range(STEPS):
            logs = self._level + (u - self._at) @ self._slopes
            odds = np.exp(logs - logs.max(axis=1, keepdims=True))
            rest = odds / odds.sum(axis=1, keepdims=True)
            rest[:, place] -= 1
            u = u - adam.step(rest @ self._slopes.T + weight * u / u.shape[1], 1 - step / STEPS)
        return np.asarray(self._middle + self._spread * u)
