"""What is kept of a shadow model's answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.targets._base import ScoreTarget

CERTAIN = 600.0
"""Scaled logits at least this far from 0 come of probabilities that were rounded to 0 or 1."""


def scaled_logit(target: ScoreTarget, records: Records, *, unknown: bool = False) -> NDArray[np.float64]:
    """Log-odds of the true label against the sum of the others, shape ``(n,)``, clipped at ±690.

    Args:
      target: Who is asked.
      records: About whom.
      unknown: Whether a label that the model never met counts as impossible to it, instead of being an error.

    References:
      Carlini et al. arXiv:2112.03570, section IV.C and appendix.
    """
    answers = target.predict_proba(records)
    met = target.knows(records.y) if unknown else np.ones(len(records), dtype=bool)
    rows = np.flatnonzero(met)
    signal = np.full(len(records), np.log(1e-300))
    label = target.positions(records.y[rows])
    true = answers[rows, label]
    wrong = answers[rows]
    wrong[np.arange(len(rows)), label] = 0.0
    signal[rows] = np.log(np.maximum(true, 1e-300)) - np.log(np.maximum(wrong.sum(axis=1), 1e-300))
    return signal


@dataclass(frozen=True)
class Signal:
    """What is kept of a model's answers about each record.

    Attributes:
      name: Tells it from every other signal, with its parameters: stored answers are found by it.
      ask: ``(target, records)`` → ``(n,)`` or ``(n, d)`` finite numbers.
    """

    name: str
    ask: Callable[[ScoreTarget, Records], NDArray[Any]]


def _margin(target: ScoreTarget, records: Records) -> NDArray[np.float64]:
    return scaled_logit(target, records, unknown=True)


SCALED_LOGIT = Signal("scaled logit", _margin)
