"""What shadow models say about each record, and its sums in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from keepmum.shadows._signal import CERTAIN

Floats = NDArray[np.float64]
STEP = float(np.log(2.0))
"""How much further a certain answer counts than the surest one that is not: as if half as likely to be wrong."""
FLOAT32 = 80.0
"""Exponentials of more than this do not fit single precision."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over shadow models, for each record.

    Attributes:
      inside: ``(5, n)`` over the models trained on the record: count, signal, its square, probability of the true
        label, its logarithm.
      outside: ``(5, n)`` the same over the models not trained on it.
    """

    inside: Floats
    outside: Floats

    def mean(self, side: str, what: int = 1) -> Floats:
        """Mean over the models of a side (``"inside"``, ``"outside"``), shape ``(n,)``."""
        part: Floats = getattr(self, side)
        return np.asarray(part[what] / np.maximum(part[0], 1.0))

    def variance(self, side: str) -> Floats:
        """Unbiased variance of the signal over the models of a side, ``(n,)``; 0 for fewer than two models."""
        part: Floats = getattr(self, side)
        spread = part[2] - part[1] ** 2 / np.maximum(part[0], 1.0)
        return np.asarray(np.maximum(spread, 0.0) / np.maximum(part[0] - 1.0, 1.0))

    def pooled_variance(self, side: str) -> float:
        """Variance of the signal around each record's own mean, over all records; 0 for fewer than two models."""
        freedom = np.maximum(getattr(self, side)[0] - 1.0, 0.0)
        return float((self.variance(side) * freedom).sum() / max(1.0, freedom.sum()))


@dataclass(frozen=True, eq=False)
class Shadows:
    """Signals of shadow models about the audited records. Models ``2i`` and ``2i + 1`` are a balanced pair.

    Attributes:
      ids: ``(n,)`` ids of the records.
      signals: ``K`` rows of ``(n,)`` scaled logits of the true label, possibly memory-mapped.
      trained_on: ``(K, n)`` which model was trained on which record.
      labels: ``(n,)`` labels of the records, where they are at hand.
    """

    ids: NDArray[np.intp]
    signals: Sequence[NDArray[np.float32]]
    trained_on: NDArray[np.bool_]
    labels: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.signals)

    @cached_property
    def edge(self) -> float:
        """Largest signal that is used: a step beyond the surest answer of any shadow that is not certain.

        A tree that is certain has infinite log-odds; taken as they are, they would swamp every mean.
        """
        largest = 0.0
        for row in self.signals:
            size = np.abs(row)
            largest = max(largest, float(size.max(initial=0.0, where=size < CERTAIN)))
        return largest + STEP

    def clip(self, signal: NDArray[np.floating]) -> Floats:
        """Signals within the edges."""
        return np.asarray(np.clip(signal, -self.edge, self.edge), dtype=np.float64)

    def row(self, model: int) -> Floats:
        """Signals of one model, ``(n,)``, within the edges."""
        return self.clip(self.signals[model])

    @cached_property
    def compressed(self) -> Shadows:
        """The same models with `compress` applied to their signals, one row at a time."""
        return replace(self, signals=_Compressed(self))

    @cached_property
    def sums(self) -> Sums:
        """Sums over all models, in one pass over the signals."""
        everyone, inside = (np.zeros((5, len(self.ids))) for _ in range(2))
        for model in range(len(self)):
            part = moments(self.row(model))
            everyone += part
            part *= self.trained_on[model]
            inside += part
        return Sums(inside, everyone - inside)

    def without_pair(self, model: int) -> Sums:
        """Sums over all models but one and its partner, so that nothing is left that tells whom it was trained on."""
        inside, outside = self.sums.inside.copy(), self.sums.outside.copy()
        for out in (model, model ^ 1):
            part, mask = moments(self.row(out)), self.trained_on[out]
            inside -= part * mask
            outside -= part * ~mask
        return Sums(inside, outside)


class _Compressed(Sequence[NDArray[np.float32]]):
    """Rows of others, compressed when they are asked for: no second matrix is held."""

    def __init__(self, shadows: Shadows) -> None:
        self._shadows = shadows

    def __len__(self) -> int:
        return len(self._shadows)

    @overload
    def __getitem__(self, model: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, model: slice) -> list[NDArray[np.float32]]: ...
    def __getitem__(self, model: int | slice) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        if isinstance(model, slice):
            return [self[k] for k in range(*model.indices(len(self)))]
        if not -len(self) <= model < len(self):
            raise IndexError(model)
        return compress(self._shadows.row(model).astype(np.float32))


def compress(signal: NDArray[Any]) -> NDArray[Any]:
    """Inverse hyperbolic sine: near 0 the signal itself, far out its logarithm.

    Signals of networks that know a record by heart spread over tens; so do the lucky ones of those that do not. Far
    out a normal distribution fits their logarithms better.
    """
    return np.asarray(np.arcsinh(signal))


def moments(signal: Floats) -> Floats:
    """Count, signal, square, probability of the true label and its logarithm, ``(5, n)``.

    Exponential and logarithm have single precision, as the signals that are kept do: several times faster.
    """
    result = np.empty((5, len(signal)))
    result[0] = 1.0
    result[1] = signal
    np.square(signal, out=result[2])
    denominator = 1 + np.exp(-np.clip(signal, -FLOAT32, FLOAT32).astype(np.float32))
    np.divide(1.0, denominator, out=result[3])
    np.negative(np.log(denominator), out=result[4])
    result[4] += np.minimum(signal + FLOAT32, 0.0)
    return result


def log_probability(signal: Floats) -> Floats:
    """Logarithm of the probability of the true label, ``(n,)``, exact also where it is next to 0."""
    return np.asarray(np.minimum(signal, 0.0) - np.log1p(np.exp(-np.abs(signal))))
