"""Randomness that hangs on a secret and on what is answered, and on nothing else."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

import numpy as np

from keepmum.targets._base import Floats


def fresh() -> bytes:
    """A secret that nobody has had before."""
    return os.urandom(32)


def mark(secret: bytes) -> str:
    """What tells secrets apart without telling them."""
    return hashlib.sha256(b"mark" + secret).hexdigest()[:12]


def drawn_for(cells: Floats, secret: bytes, version: str, draw: Callable[[np.random.Generator], Floats]) -> Floats:
    """A draw for each row, the same for equal rows: its generator is seeded by HMAC-SHA256 of version and row."""
    unique, place = np.unique(cells, axis=0, return_inverse=True)
    made = []
    for row in unique:
        told = hmac.new(secret, version.encode() + b"\0" + row.astype("<i8").tobytes(), hashlib.sha256).digest()
        made.append(draw(np.random.default_rng(int.from_bytes(told, "big"))))
    return np.stack(made)[place.reshape(-1)] if made else np.empty(cells.shape)
