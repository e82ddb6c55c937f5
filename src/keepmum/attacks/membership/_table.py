"""Around records with columns, and around images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import encode
from keepmum.attacks.membership._neighbors import Neighbors
from keepmum.data import Records, column_names

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

REDRAWS = 3
"""How often somebody else is drawn again because they have the same value."""


class Table(Neighbors):
    """Around records with columns: arrays, and data frames with columns of any kind.

    Numbers get Gaussian noise, stay within the smallest and largest value of their column, and whole numbers stay
    whole, rounded at random so that small noise is not lost. Everything else, and columns of two values, is replaced
    by what another record has.

    Attributes:
      values: ``(n, d)`` numbers, or codes of what is none.
      numeric: ``(d,)`` which columns are numbers.
      spread: ``(d,)`` standard deviation of the columns that are numbers, 1 for others.
    """

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        X = records.X
        is_numbers = isinstance(X, np.ndarray) and X.dtype.kind in "fiub"
        self.values = X.reshape(len(X), -1).astype(np.float64) if is_numbers else encode(records)
        self.numeric = self._numeric()
        some = np.where(self.numeric, self.values, 0.0)
        self.low, self.high = (bound(some, axis=0) for bound in (np.nanmin, np.nanmax))
        self.spread = np.where(self.numeric, np.nanstd(some, axis=0), 1.0)
        with np.errstate(invalid="ignore"):
            self.whole = np.all((some == np.floor(some)) | np.isnan(some), axis=0)

    def _numeric(self) -> NDArray[np.bool_]:
        """Columns that noise can be added to: more than two different numbers, and NaN for what is missing."""
        X = self.records.X
        varied = np.array(
            [_distinct(column) > 2 and not np.isinf(column).any() for column in self.values.T], dtype=bool
        )
        if isinstance(X, np.ndarray):
            varied &= np.array([_numbers(column) for column in X.reshape(len(X), -1).T[: len(varied)]], dtype=bool)
            return varied
        for j, name in enumerate(column_names(X)[: len(varied)]):
            column = self.records.column(name)
            own = getattr(X, "dtypes", None)
            holds_nan = hasattr(own, "iloc") and isinstance(own.iloc[j], np.dtype)  # type: ignore[union-attr]
            varied[j] &= column.dtype.kind in "fiu" and (holds_nan or not np.isnan(column.astype(np.float64)).any())
        return varied

    def noisy(self, rng: np.random.Generator, scale: float) -> Records:
        """See `Neighbors.noisy`."""
        shape = self.values.shape
        moved = self.values + rng.normal(0.0, scale, shape) * self.spread
        moved = np.clip(np.where(self.whole, np.floor(moved + rng.random(shape)), moved), self.low, self.high)
        swap = ~self.numeric & (rng.random(shape) < scale)
        return self._built(moved, np.where(swap, rng.integers(shape[0], size=shape), self._own))

    def changed(self, rng: np.random.Generator, turn: int) -> Records:
        """One column is replaced by what another record has; the next one at every turn."""
        rows, (n, d) = np.arange(len(self.values)), self.values.shape
        column = (rows + turn) % d  # records begin at different columns
        other = rng.integers(n, size=n)
        for _ in range(REDRAWS):
            same = self.values[other, column] == self.values[rows, column]
            other[same] = rng.integers(n, size=int(same.sum()))
        source = np.broadcast_to(self._own, (n, d)).copy()
        source[rows, column] = other
        return self._built(np.take_along_axis(self.values, source, axis=0), source)

    def toward(self, others: Indices, share: Floats) -> Records:
        """Points between each record and another one of them.

        Args:
          others: ``(n,)`` positions of the other records.
          share: ``(n, d)`` how far each column goes, 0 … 1; what is no number changes from one half on.
        """
        there = self.values[others]
        with np.errstate(invalid="ignore"):
            between = self.values + share * (there - self.values)
        between = np.where(np.isnan(between) | (share == 1), np.where(share < 0.5, self.values, there), between)
        between = np.where(self.whole & self.numeric, np.rint(between), between)
        return self._built(between, np.where(share < 0.5, self._own, others[:, None]))

    @property
    def _own(self) -> Indices:
        return np.arange(len(self.values))[:, None]

    def _built(self, numbers: Floats, source: Indices) -> Records:
        """Records with these numbers, and everything else as the ``source`` records have it."""
        X = self.records.X
        if isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
            swapped = np.take_along_axis(self.values, np.broadcast_to(source, self.values.shape), axis=0)
            return self._with(np.where(self.numeric, numbers, swapped).reshape(X.shape).astype(X.dtype))
        width = self.values.shape[1]
        moved = {j: self._typed(numbers[:, j], j) for j in range(width) if self.numeric[j]}
        if isinstance(X, np.ndarray):
            flat = X.reshape(len(X), -1).copy()
            flat[:, :width] = np.take_along_axis(flat[:, :width], np.broadcast_to(source, self.values.shape), axis=0)
            for j, column in moved.items():
                flat[:, j] = column
            return self._with(flat.reshape(X.shape))
        others = np.broadcast_to(source, self.values.shape)
        taken = {
            j: others[:, j] for j in range(width) if not self.numeric[j] and (others[:, j] != self._own[:, 0]).any()
        }
        return self._with(_frame(X, moved, taken))

    def _typed(self, column: Floats, j: int) -> NDArray[Any]:
        return column.astype(np.int64) if self.whole[j] and not np.isnan(column).any() else column


class Images(Table):
    """Around images, ``(n, height, width)`` with channels first or last: noise on pixels, and small shifts."""

    def _numeric(self) -> NDArray[np.bool_]:
        return np.ones(self.values.shape[1], dtype=bool)

    def __init__(self, records: Records) -> None:
        super().__init__(records)
        pixels, ones = self.values, np.ones(self.values.shape[1])
        self.low, self.high, self.spread = (float(v) * ones for v in (pixels.min(), pixels.max(), pixels.std() or 1.0))
        shape = records.X.shape
        last = len(shape) == 4 and shape[-1] in (1, 3, 4) and shape[1] not in (1, 3, 4)
        self.axes = (1, 2) if last else (len(shape) - 2, len(shape) - 1)

    def shifted(self, down: int, right: int) -> Records:
        """The images moved by so many pixels; what comes in repeats the border."""
        X = self.records.X
        for axis, by in zip(self.axes, (down, right), strict=True):
            X = np.take(X, np.clip(np.arange(X.shape[axis]) - by, 0, X.shape[axis] - 1), axis=axis)
        return self._with(X)

    def flipped(self) -> Records:
        """The images mirrored, left to right."""
        return self._with(np.flip(self.records.X, self.axes[1]))

    def changed(self, rng: np.random.Generator, turn: int) -> Records:
        """A shift by one pixel, then two, and so on, another direction at every turn."""
        directions = ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))
        down, right = directions[turn % len(directions)]
        by = 1 + turn // len(directions)
        return self.shifted(down * by, right * by)


def _numbers(column: NDArray[Any]) -> bool:
    if column.dtype.kind != "O":
        return column.dtype.kind in "fiu"
    return all(type(value) in (int, float) for value in column.tolist())


def _distinct(column: Floats) -> int:
    """Different values of a column, counted to three."""
    known = column[~np.isnan(column)]
    if not len(known):
        return 0
    between = (known != known.min()) & (known != known.max())
    return 3 if between.any() else 1 + int(known.min() != known.max())


def _frame(X: Any, moved: dict[int, NDArray[Any]], swapped: dict[int, Indices]) -> Any:
    """A data frame with some columns set, and some taken from other rows; types of columns stay."""
    if hasattr(X, "isetitem"):
        frame = X.copy()
        for j, values in moved.items():
            frame.isetitem(j, _as(values, X.dtypes.iloc[j]))
        for j, rows in swapped.items():
            column = X.iloc[:, j].take(rows)
            column.index = X.index
            frame.isetitem(j, column)
        return frame
    import narwhals as nw

    frame = nw.from_native(X, eager_only=True)
    series = [frame[:, j] for j in moved]
    backend = nw.get_native_namespace(frame)
    fresh = [nw.new_series(s.name, v, s.dtype, backend=backend) for s, v in zip(series, moved.values(), strict=True)]
    fresh += [frame[:, j][rows.tolist()] for j, rows in swapped.items()]
    return frame.with_columns(*fresh).to_native() if fresh else X


def _as(values: NDArray[Any], dtype: Any) -> Any:
    import pandas as pd

    return pd.array(values, dtype=dtype)
