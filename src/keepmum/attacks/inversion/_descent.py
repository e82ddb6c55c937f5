"""Gradient descent in a prior's latent space, several starts at once, with a stop for each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion.oracle import Loss, Oracle
from keepmum.attacks.inversion.priors import PixelPrior, Prior

MOMENTUM, SCALE, TINY = 0.9, 0.999, 1e-8
"""Adam's decay rates of the first and second moment, and what keeps its division finite."""
GAIN = 1e-3
"""Nats that the objective must fall by to count as a gain."""
SETTLED = 5
"""Steps without a gain after which the objective no longer falls."""
UNSEEN = 20.0
"""Loss in nats from which on the class may be below the oracle's floor, where a fall of the loss cannot be seen."""
MARKS = 4
"""Pictures that are kept along the way for each tenfold of steps."""


@dataclass(frozen=True)
class Rule:
    """How to descend and when to stop.

    Attributes:
      loss: What falls.
      weight: Weight of the prior's log density for each latent number.
      rate: Adam's step, in standard deviations of a latent number; of pixels, as a share of their range.
      steps: Steps at most.
      patience: Steps without a gain after which a start is given up.
      confidence: The model's probability of the class that is wanted.
      averaged: Whether the mean of the ends is the result: steps shrink to nothing, so that ends do not jitter, and the
        way there is that of the mean.
    """

    loss: Loss
    weight: float
    rate: float
    steps: int
    patience: int
    confidence: float
    averaged: bool = False


class Descent:
    """Descends from several latents at once.

    A start is done when the model is as sure of the class as wanted *and* the objective no longer falls, or when it
    has not fallen for longer than patience lasts. One that is bad but improving goes on.

    Args:
      oracle: Who is asked.
      prior: In whose latent space.
      rule: How and how long.
      reserve: Queries of the oracle's budget that are left alone.

    Attributes:
      trace: Queries so far, confidence and image of the leading start, or of the mean, along the way.
      taken: Steps that were taken.
    """

    def __init__(self, oracle: Oracle, prior: Prior, rule: Rule, reserve: int) -> None:
        self.oracle, self.prior, self.rule, self.reserve = oracle, prior, rule, reserve
        self.trace: list[tuple[int, float, Floats]] = []
        self.taken = 0
        self._rate = rule.rate * (prior.high - prior.low if isinstance(prior, PixelPrior) else 1.0)
        self._mark = 0

    def run(self, starts: Floats) -> tuple[Floats, Floats]:
        """Descend from ``(r, d)`` latents.

        Returns:
          The best latent of each start, ``(r, d)``, and its objective, ``(r,)``: lower = better.

        Raises:
          NotApplicableError: The model or the prior tells no gradients.
        """
        self._latents, n = starts.astype(np.float64), len(starts)
        self._best, self._lowest = self._latents.copy(), np.full(n, np.inf)
        self._known, self._idle = np.full(n, np.inf), np.zeros(n, dtype=np.intp)
        self._moments = np.zeros((2, *starts.shape))
        active = np.ones(n, dtype=bool)
        while active.any() and self.taken < self.rule.steps and self._affords(int(active.sum())):
            rows = np.flatnonzero(active)
            moved = self._step(rows)
            self._keep_mark()
            active[rows] = ~self._done(rows) & moved
        return self._best, self._lowest

    def _affords(self, gradients: int, answers: int = 0) -> bool:
        return gradients + answers * self.oracle.repeats <= self.oracle.left - self.reserve

    def _step(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """One step of these starts; False for those that nothing moves."""
        latents, prior, rule = self._latents[rows], self.prior, self.rule
        losses, slopes = self.oracle.gradient(prior.decode(latents), rule.loss)
        downhill = prior.pull_back(latents, slopes)
        # Below the oracle's floor the loss is flat while the gradient still leads out: that is no standstill.
        steered = downhill.any(axis=1)
        hidden = (losses > UNSEEN) & steered
        objective = losses
        if rule.weight:
            objective = losses - rule.weight * prior.log_density(latents) / prior.size
            downhill = downhill - rule.weight * prior.log_density_gradient(latents) / prior.size
        self._note(rows, objective, hidden)
        self.taken += 1
        self._latents[rows] = prior.refine(latents - self._adam(rows, downhill), self.taken)
        moved = (self._latents[rows] != latents).any(axis=1)
        # Of several samples one that the model has no wish about stays as it is: the prior alone leads nowhere new.
        return np.asarray(moved & steered if rule.averaged else moved)

    def _note(self, rows: NDArray[np.intp], objective: Floats, hidden: NDArray[np.bool_]) -> None:
        """Keep what is best, and count steps without a gain since the last one that was."""
        better = objective <= self._lowest[rows]
        self._best[rows[better]], self._lowest[rows[better]] = self._latents[rows[better]], objective[better]
        gained = objective < self._known[rows] - GAIN
        self._known[rows[gained]] = objective[gained]
        self._idle[rows] = np.where(gained | hidden, 0, self._idle[rows] + 1)

    def _adam(self, rows: NDArray[np.intp], gradient: Floats) -> Floats:
        """Steps of shape ``(m, d)``; all starts that still run have taken as many."""
        first, second = self._moments
        first[rows] = MOMENTUM * first[rows] + (1 - MOMENTUM) * gradient
        second[rows] = SCALE * second[rows] + (1 - SCALE) * gradient**2
        mean, spread = first[rows] / (1 - MOMENTUM**self.taken), second[rows] / (1 - SCALE**self.taken)
        rate = self._rate * (1 - (self.taken - 1) / self.rule.steps) if self.rule.averaged else self._rate
        return np.asarray(rate * mean / (np.sqrt(spread) + TINY))

    def _done(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of these starts are at their end; the model is asked how sure it is only when one has settled."""
        done = self._idle[rows] >= self.rule.patience
        settled = rows[~done & (self._idle[rows] % SETTLED == 0) & (self._idle[rows] > 0)]
        if len(settled) and self._affords(0, len(settled)):
            sure = self.oracle.confidence(self.prior.decode(self._best[settled])) >= self.rule.confidence
            done |= np.isin(rows, settled[sure])
        return np.asarray(done)

    def _keep_mark(self) -> None:
        """Keep a picture when enough steps have gone by since the last."""
        if self.taken < self._mark or not self._affords(0, 1):
            return
        best = self._best
        leading = best.mean(axis=0) if self.rule.averaged else best[self._lowest.argmin()]
        image = self.prior.decode(leading[None])
        self.trace.append(
            (self.oracle.queries + self.oracle.repeats, float(self.oracle.confidence(image)[0]), image[0])
        )
        self._mark = math.ceil(self.taken * 10 ** (1 / MARKS))
