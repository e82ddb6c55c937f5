"""How likely a sampler draws given tokens: temperature, then the top k, then the top p, each renormalized."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.targets.text import Sampling

Floats = NDArray[np.float64]


def drawn(log_probs: Floats, tokens: NDArray[np.intp], sampling: Sampling) -> Floats:
    """Log-probability that each token is drawn from its own distribution, ``(t,)`` nats; ``-inf`` if it never is.

    Of equally likely tokens at the edge of the top k or top p the first in the vocabulary are kept.

    Args:
      log_probs: ``(t, V)`` the model's log-probabilities of the next token.
      tokens: ``(t,)`` tokens to be drawn.
      sampling: The scheme.

    References:
      Hayes et al. Measuring Memorization through Probabilistic Discoverable Extraction (2024), arXiv:2410.19482: the
      probabilities are those of the sampling scheme, not of the bare model.
    """
    rows = np.arange(len(tokens))
    if sampling.temperature == 0:
        return np.asarray(np.where(log_probs.argmax(axis=1) == tokens, 0.0, -np.inf))
    scaled = (log_probs - log_probs.max(axis=1, keepdims=True)) / sampling.temperature
    if sampling.top_k is None and sampling.top_p == 1:
        return np.asarray(scaled[rows, tokens] - np.log(np.exp(scaled).sum(axis=1)))
    order = np.argsort(-scaled, axis=1, kind="stable")
    p = np.exp(np.take_along_axis(scaled, order, axis=1))
    if sampling.top_k is not None:
        p[:, sampling.top_k :] = 0
    p /= p.sum(axis=1, keepdims=True)
    if sampling.top_p < 1:
        p[np.cumsum(p, axis=1) - p >= sampling.top_p] = 0
    kept = np.take_along_axis(scaled, order, axis=1)
    total = np.log(np.where(p > 0, np.exp(kept), 0.0).sum(axis=1))
    place = np.argmax(order == tokens[:, None], axis=1)
    alive = p[rows, place] > 0
    # A token so unlikely that its probability is 0 in floating point is still drawn where nothing was cut off.
    alive |= (sampling.top_p == 1) & (place < (sampling.top_k or log_probs.shape[1]))
    return np.asarray(np.where(alive, scaled[rows, tokens] - total, -np.inf))


def within(log_p: Floats, n: Floats) -> Floats:
    """Probability that at least one of n independent samples is the text: ``1 - (1 - p)^n``, without underflow.

    Args:
      log_p: Log-probability of drawing it once, at most 0, in nats; may be ``-inf``.
      n: Numbers of samples, shaped to broadcast.
    """
    return np.asarray(-np.expm1(np.maximum(n * _log_miss(log_p), -800.0)))


def samples_for(log_p: Floats, share: float) -> Floats:
    """Least number of samples among which the text is with this probability; infinity if it is never drawn."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.maximum(1.0, np.ceil(np.log1p(-share) / _log_miss(log_p) - 1e-9)))


def _log_miss(log_p: Floats) -> Floats:
    """``log(1 - p)``, below 0 wherever p is above 0, down to the smallest p that a number can hold."""
    return np.log1p(-np.minimum(np.exp(np.minimum(log_p, 0.0)), 1 - 2**-53))
