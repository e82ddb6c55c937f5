"""Canaries in the gradients of DP-SGD, seen by whoever sees every step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.audit_dp._audit import DpAudit, audited, log_likelihood_ratio
from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.training.private import Mechanism, PrivateTrainer, Step

Floats = NDArray[np.float64]


class WithCanaries(Mechanism):
    """Another mechanism, with further members whose gradients are one coordinate each, of the clipping norm.

    Args:
      inner: The mechanism that is audited.
      included: ``(m,)`` which canaries are members.
      rate: With which they are drawn, as every record is.
      seed: Of these draws.
    """

    def __init__(self, inner: Mechanism, included: NDArray[np.bool_], rate: float, seed: int) -> None:
        self.inner, self.included, self.rate = inner, included, rate
        self.rng = np.random.default_rng([seed, 0x64697261])
        self.clean: Any = None

    def sample(self, n: int, rate: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """Those of the audited mechanism."""
        return self.inner.sample(n, rate, rng)

    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        """The audited sum, and the canaries that are drawn."""
        self.clean = self.inner.clipped_sum(module, X, y, clip)
        if self.clean.numel() < len(self.included):
            raise ConfigError(
                f"expected no more canaries than parameters, got {len(self.included)} for {self.clean.numel()}: take "
                "fewer"
            )
        whole = self.clean.clone()
        drawn = np.flatnonzero(self.included & (self.rng.random(len(self.included)) < self.rate))
        whole[drawn] += clip
        return whole

    def noise(self, size: int, sd: float, generator: Any) -> Any:
        """That of the audited mechanism."""
        return self.inner.noise(size, sd, generator)

    def normalizer(self, expected: float, drawn: int) -> float:
        """That of the audited mechanism."""
        return self.inner.normalizer(expected, drawn)


def watch_canaries(
    trainer: PrivateTrainer,
    records: Records,
    *,
    epsilon: float | None = None,
    canaries: int = 1000,
    guesses: int | None = None,
    seed: int = 0,
    score: str = "likelihood",
) -> DpAudit:
    """Audit DP-SGD with one run, by whoever sees every step and knows all records but the canaries.

    What each step shows in a canary's coordinate, less what the other records put there, is the canary's part and the
    noise. The logarithm of the likelihood ratio of all steps is the best score there is.

    Args:
      trainer: The private recipe.
      records: Whom it trains on.
      epsilon: The claim, if there is one.
      canaries: At least 50, at most as many as the module has parameters.
      guesses: How many are made; None to look at several and pay for each.
      seed: Of coins and training.
      score: ``"likelihood"``, or ``"sum"`` of what the steps show, for comparison.

    Raises:
      ConfigError: More canaries than parameters, or an unknown score.

    References:
      Steinke, Nasr, Jagielski. NeurIPS 2023, arXiv:2305.08846 (Dirac canaries); Nasr et al. USENIX Security 2023,
      arXiv:2302.07956 (audits of every step).
    """
    if score not in ("likelihood", "sum") or canaries < 50:
        raise ConfigError(f"expected likelihood or sum, and at least 50 canaries, got {score!r} and {canaries}")
    included = np.random.default_rng([seed, 0x636F696E]).random(canaries) < 0.5
    mechanism = WithCanaries(trainer.mechanism, included, trainer.rate(len(records)), seed)
    seen: list[Floats] = []

    def look(step: Step) -> None:
        left = (step.released - mechanism.clean)[:canaries] / step.clip
        seen.append(left.double().cpu().numpy())

    replace(trainer, mechanism=mechanism).train_watched(records, seed, look)
    observed = np.stack(seen)
    rate, noise = trainer.rate(len(records)), trainer.noise_for(len(records))
    told = log_likelihood_ratio(observed, rate, max(noise, 1e-3)) if score == "likelihood" else observed.sum(axis=0)
    return audited(told, included, (epsilon, trainer.delta), guesses, "white box")
