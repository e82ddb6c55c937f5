"""Random numbers that nobody can compute again: straight from the operating system."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def uniform(count: int) -> Floats:
    """Numbers from 0 up to 1, ``(count,)``, of 53 random bits each."""
    bits = np.frombuffer(os.urandom(8 * count), dtype=np.uint64) >> np.uint64(11)
    return np.asarray(bits * 2.0**-53)


def normal(count: int) -> Floats:
    """Standard normal numbers, ``(count,)``.

    References:
      Box, Muller. A Note on the Generation of Random Normal Deviates. Annals of Mathematical Statistics 29 (1958).
    """
    half = (count + 1) // 2
    length = np.sqrt(-2 * np.log1p(-uniform(half)))
    turn = 2 * np.pi * uniform(half)
    return np.concatenate([length * np.cos(turn), length * np.sin(turn)])[:count]
