"""From the model's distribution to the one that a deployed model draws from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._base import Floats
from keepmum.targets.text import Sampling


def deployed(log_probs: Floats, sampling: Sampling) -> Floats:
    """Log-probabilities of what is really drawn, ``(n, V)`` in nats; minus infinity for what never is.

    First the temperature, then the likeliest ``top_k``, then the fewest of these that together have ``top_p``. Of
    equally likely tokens the first is kept.
    """
    n, size = log_probs.shape
    if sampling.temperature == 0:
        only = np.full((n, size), -np.inf)
        only[np.arange(n), log_probs.argmax(axis=1)] = 0.0
        return only
    logs = _normal(log_probs / sampling.temperature)
    if sampling.top_k is None and sampling.top_p == 1:
        return logs
    order = np.argsort(-logs, axis=1, kind="stable")[:, : sampling.top_k]
    kept = _normal(np.take_along_axis(logs, order, axis=1))
    p = np.exp(kept)
    kept = _normal(np.where(np.cumsum(p, axis=1) - p < sampling.top_p, kept, -np.inf))
    drawn = np.full((n, size), -np.inf)
    np.put_along_axis(drawn, order, kept, axis=1)
    return drawn


def drawn(log_probs: Floats, sampling: Sampling, uniforms: Floats) -> NDArray[np.intp]:
    """One token a row, ``(n,)``, from as many numbers that are uniform between 0 and 1."""
    if sampling.temperature == 0:
        return np.asarray(log_probs.argmax(axis=1), dtype=np.intp)
    sums = np.cumsum(np.exp(deployed(log_probs, sampling)), axis=1)
    return np.asarray((sums > (uniforms * sums[:, -1])[:, None]).argmax(axis=1), dtype=np.intp)


def _normal(logs: Floats) -> Floats:
    highest = logs.max(axis=1, keepdims=True)
    return np.asarray(logs - highest - np.log(np.exp(logs - highest).sum(axis=1, keepdims=True)))
