"""Do the shadow models behave as the target does? If not, what was learned from them does not speak about it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.findings import Check
from keepmum.shadows._fleet import Shadows, log_probability

FAR = 4.0
"""Standard deviations that the target may be outside what the shadow models show."""
ALIKE = (0.02, 0.2)
"""Differences that do not matter: of accuracy, and of loss as a share of it. Records that stood on both sides are taken
out before shadow models are trained, but the target knows them; with many people that alone would tell them apart."""
COSTLIEST = float(np.log(1e6))
"""Largest loss of one record: certain mistakes, as trees make them, would be infinite."""


def fidelity(shadows: Shadows, signal: NDArray[np.float64], is_member: NDArray[np.bool_]) -> Check:
    """Compare the target on non-members with each shadow model on the records that it was not trained on.

    Accuracy here is the share of records whose true label has a probability above one half, ties half: all that the
    signals tell. Loss is the mean cross-entropy. The target fails if either lies outside the shadows' range, widened
    by `ALIKE`, by more than `FAR` standard deviations: those of the shadow models, or the target's sampling error if
    larger.

    Args:
      shadows: The fleet.
      signal: ``(n,)`` scaled logits of the target, in the order of the shadows' records.
      is_member: ``(n,)`` truth.
    """
    outside = [_behavior(shadows.signals[k][~shadows.trained_on[k]]) for k in range(len(shadows))]
    seen = np.array([means for means, _ in outside])
    target, error = _behavior(signal[~is_member])
    spread = np.maximum(seen.std(axis=0, ddof=1), error)
    margin = np.array([ALIKE[0], ALIKE[1] * seen[:, 1].mean()])
    beyond = (np.maximum(seen.min(axis=0) - target, target - seen.max(axis=0)) - margin) / spread
    like = bool((beyond <= FAR).all())
    text = (
        f"{len(shadows)} shadow models: accuracy {seen[:, 0].min():.3f} to {seen[:, 0].max():.3f} and loss "
        f"{seen[:, 1].min():.3g} to {seen[:, 1].max():.3g} on records that they were not trained on; the target "
        f"{target[0]:.3f} and {target[1]:.3g} on non-members."
    )
    if not like:
        text += " The recipe does not reproduce the target: give the trainer that made it."
    counts = {
        "shadows": len(shadows),
        "shadow_accuracy": round(float(seen[:, 0].mean()), 4),
        "shadow_loss": round(float(seen[:, 1].mean()), 4),
        "target_accuracy": round(float(target[0]), 4),
        "target_loss": round(float(target[1]), 4),
    }
    return Check("shadow_fidelity", like, text, {}, counts)


def _behavior(signal: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy and mean loss, and the standard error of each; at least that of one record in the sample."""
    margin = np.clip(np.asarray(signal, dtype=np.float64), -COSTLIEST, COSTLIEST)
    each = np.stack([(margin > 0) + 0.5 * (margin == 0), -log_probability(margin)])
    n = max(1, len(signal))
    return each.mean(axis=1), np.maximum(each.std(axis=1), 1 / np.sqrt(n)) / np.sqrt(n)
