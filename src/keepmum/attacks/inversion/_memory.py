"""What an oracle has answered already, so that the same image is not paid for twice."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

BYTES = 16_000_000
"""Memory for answers, about."""
OVERHEAD = 200
"""Bytes that one answer takes besides its numbers, about."""

Answers = NDArray[Any]


class Memory:
    """Answers by image, the latest ones.

    Args:
      limit: Bytes that they may take, about; at least one answer is kept.
    """

    def __init__(self, limit: int = BYTES) -> None:
        self._limit = limit
        self._kept: dict[bytes, Answers] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def unknown(self, X: NDArray[Any]) -> NDArray[np.intp]:
        """Rows ``(m,)`` of ``(n, …)`` images that are not kept; of images that stand here twice, the first."""
        seen, rows = set(self._kept), []
        for row, key in enumerate(_keys(X)):
            if key not in seen:
                seen.add(key)
                rows.append(row)
        return np.array(rows, dtype=np.intp)

    def answer(self, X: NDArray[Any], fresh: NDArray[np.intp], ask: Callable[[NDArray[Any]], Answers]) -> Answers:
        """Answers ``(n, …)``: of the rows that are `unknown` by asking, of the others as they were."""
        keys = _keys(X)
        told = dict(zip([keys[row] for row in fresh], ask(X[fresh]), strict=True)) if len(fresh) else {}
        every = np.array([told[key] if key in told else self._kept[key] for key in keys])
        self._keep(told)
        return every

    def keep(self, X: NDArray[Any], answers: Answers) -> None:
        """Remember answers ``(n, …)`` that were had otherwise."""
        self._keep(dict(zip(_keys(X), answers, strict=True)))

    def _keep(self, told: dict[bytes, Answers]) -> None:
        for key, answer in told.items():
            self._kept[key] = np.array(answer)  # a copy: a view would hold the whole batch
        if not self._kept:
            return
        size = OVERHEAD + next(iter(self._kept.values())).nbytes
        surplus = len(self._kept) - max(1, self._limit // size)
        for key in list(self._kept)[: max(0, surplus)]:  # the oldest stand first
            del self._kept[key]


def _keys(X: NDArray[Any]) -> list[bytes]:
    """A digest of each image, as the model sees it; -0.0 and 0.0 are one image."""
    rows = np.ascontiguousarray(X + 0 if X.dtype.kind == "f" else X)
    return [blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
