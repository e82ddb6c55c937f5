"""How likely a sampler draws given tokens: temperature, then the top k, then the top p, each renormalized."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._sampling import deployed
from keepmum.targets.text import Sampling

Floats = NDArray[np.float64]


def drawn(log_probs: Floats, tokens: NDArray[np.intp], sampling: Sampling) -> Floats:
    """Log-probability that each token is drawn from its own distribution, ``(t,)`` nats; ``-inf`` if it never is.

    Args:
      log_probs: ``(t, V)`` the model's log-probabilities of the next token.
      tokens: ``(t,)`` tokens to be drawn.
      sampling: The scheme.

    References:
      Hayes et al. Measuring Memorization through Probabilistic Discoverable Extraction (2024), arXiv:2410.19482: the
      probabilities are those of the sampling scheme, not of the bare model.
    """
    return np.asarray(deployed(log_probs, sampling)[np.arange(len(tokens)), tokens])


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
