"""One training run with canaries that coins decided about, and the least epsilon that it proves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError, DataError
from keepmum.shadows import scaled_logit
from keepmum.stats import Estimate
from keepmum.stats.coins import ceiling, epsilon_from_coins, gaussian_epsilon_from_coins
from keepmum.training import Trainer, as_trainer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DpAudit:
    """What one run proves about privacy.

    Attributes:
      claimed: Epsilon of the claim, or None without one.
      delta: Of the claim.
      epsilon: Least epsilon that is proved, whatever the mechanism.
      gaussian: The same if the mechanism is at most as loose as a Gaussian one; else an estimate.
      ceiling: What this many canaries could prove at the most.
      canaries: Coins flipped; of many runs with one canary, the runs.
      guesses: Fixed beforehand, or None where several numbers were looked at.
      view: Who was looked for: ``black box``, ``white box`` or ``black box, many runs``.
    """

    claimed: float | None
    delta: float
    epsilon: Estimate
    gaussian: Estimate
    ceiling: float
    canaries: int
    guesses: int | None
    view: str

    @property
    def refuted(self) -> bool:
        """Whether the claim is refuted, at 95 %."""
        return self.claimed is not None and self.epsilon.value > self.claimed

    @property
    def verdict(self) -> str:
        """The same as a sentence, with what the audit could have shown."""
        proved = f"epsilon is at least {self.epsilon.value:.2f} (95 %)"
        tossed = "runs" if "runs" in self.view else "canaries"
        could = f"{self.canaries:,} {tossed} could prove up to {self.ceiling:.2f}"
        if self.claimed is None:
            return f"Seen by {self.view}, {proved}; {could}."
        if self.refuted:
            return f"The claim of epsilon {self.claimed:g} at delta {self.delta:g} is refuted: {proved}."
        return (
            f"The claim of epsilon {self.claimed:g} at delta {self.delta:g} is not refuted: seen by {self.view}, "
            f"{proved}; {could}. That is no proof of the claim."
        )

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values."""
        told = asdict(self)
        for name in ("epsilon", "gaussian"):
            told[name] = told[name]["value"]
        return {**told, "refuted": self.refuted, "verdict": self.verdict}


def audited(
    scores: Floats,
    included: NDArray[np.bool_],
    claim: tuple[float | None, float],
    guesses: int | None,
    view: str,
) -> DpAudit:
    """What scores of canaries prove.

    Args:
      scores: ``(m,)``, higher = more likely in.
      included: ``(m,)`` what the coins said.
      claim: Epsilon, if one is claimed, and delta.
      guesses: How many are made, fixed beforehand; None to look at several.
      view: Who was looked for.
    """
    epsilon, delta = claim
    return DpAudit(
        claimed=epsilon,
        delta=delta,
        epsilon=epsilon_from_coins(scores, included, delta, guesses=guesses),
        gaussian=gaussian_epsilon_from_coins(scores, included, max(delta, 1e-12), guesses=guesses),
        ceiling=ceiling(guesses or len(scores)),
        canaries=len(scores),
        guesses=guesses,
        view=view,
    )


def audit_dp(
    trainer: Any,
    records: Records,
    *,
    epsilon: float | None = None,
    delta: float = 1e-5,
    canaries: int = 1000,
    guesses: int | None = None,
    seed: int = 0,
) -> DpAudit:
    """Audit a claim of differential privacy with one training run, through the model's answers.

    Canaries are copies of records with another label, drawn at random. A fair coin decides for each, before training,
    whether it is trained on. Whoever sees the model's answers guesses by the loss which ones were. What comes out is a
    lower bound: a large one refutes a claim, a small one proves nothing.

    Args:
      trainer: The recipe: a `keepmum.training.Trainer` or a scikit-learn estimator.
      records: Whom the model is trained on besides.
      epsilon: The claim, if there is one: for adding or removing one record.
      delta: Of the claim, at least 0, below 1.
      canaries: At least 50; the bound cannot be larger than so many allow.
      guesses: How many are made; None to look at several and pay for each.
      seed: Of canaries, coins and training.

    Raises:
      ConfigError: A number out of range.
      DataError: Fewer than two classes.
      TargetError: Training failed.

    References:
      Steinke, Nasr, Jagielski. NeurIPS 2023, arXiv:2305.08846; Mahloujifar, Melis, Chaudhuri. ICML 2025,
      arXiv:2410.22235.
    """
    if canaries < 50 or not 0 <= delta < 1 or (epsilon is not None and epsilon < 0):
        raise ConfigError(
            f"expected at least 50 canaries, a delta from 0 up to 1 and an epsilon of 0 or more, got {canaries}, "
            f"{delta} and {epsilon}"
        )
    recipe: Trainer = as_trainer(trainer)
    made = mislabelled(records, canaries, seed)
    included = np.random.default_rng([seed, 0x636F696E]).random(canaries) < 0.5
    plain = Records(records.X, records.y)
    target = recipe.train(plain.join(made.take(included)), seed)
    scores = scaled_logit(target, made, unknown=True)
    return audited(scores, included, (epsilon, delta), guesses, "black box")


def mislabelled(records: Records, count: int, seed: int) -> Records:
    """Copies of records, each with another label than its own.

    Raises:
      DataError: Fewer than two classes.
    """
    classes = np.unique(records.y)
    if len(classes) < 2:
        raise DataError(f"expected records of at least two classes, got {len(classes)}")
    rng = np.random.default_rng([seed, 0x6D6973])
    rows = rng.choice(len(records), count, replace=count > len(records))
    others = np.searchsorted(classes, records.y[rows]) + rng.integers(1, len(classes), count)
    return Records(records.take(rows).X, classes[others % len(classes)].astype(records.y.dtype))


def log_likelihood_ratio(observed: Floats, rate: float, noise: float) -> Floats:
    """How much likelier what was seen of each canary is if it was in than if it was not, ``(m,)``.

    Args:
      observed: ``(steps, m)`` what each step shows in the canary's direction, over the clipping norm.
      rate: Probability with which a canary that is in is drawn in a step.
      noise: Noise multiplier.
    """
    inside = (2 * observed - 1) / (2 * noise**2)
    # log(1 - q + q e^a) without overflow
    return np.asarray(np.logaddexp(math.log1p(-rate) if rate < 1 else -np.inf, math.log(rate) + inside).sum(axis=0))
