"""Records made up after the likeness of some: for attackers who have few, or none that they may use.

A generator is a callable ``(records, n, rng) -> Records``: here are two, and any function of that form is a third.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import DataError, NotApplicableError

__all__ = ["GaussianCopula", "Marginals"]

Generator = Callable[[Records, int, "np.random.Generator"], Records]
WIDEST = 2048
"""Columns, at most: dependence is a matrix of columns by columns."""
ROWS = 4096
"""Rows that are drawn at once."""
SHRUNK = 0.01
"""How far correlations are drawn to none, so that they can be drawn from whatever the columns are."""


@dataclass(frozen=True)
class Marginals:
    """Every column drawn by itself, the label too: what is known of people whose columns are known one by one.

    References:
      Shokri, Stronati, Song, Shmatikov. Membership Inference Attacks Against Machine Learning Models. S&P 2017,
      arXiv:1610.05820, section V.C (statistics-based synthesis).
    """

    def __call__(self, records: Records, n: int, rng: np.random.Generator) -> Records:
        """``n`` records, each value of a column as often as among these.

        Raises:
          NotApplicableError: Texts, sparse matrices, or too many columns.
        """
        width = _width(records) + 1
        known = len(records)
        return _drawn(records, [rng.integers(known, size=n) for _ in range(width)])


@dataclass(frozen=True)
class GaussianCopula:
    """Columns drawn together: each has the values it has, and they go together as these records' ranks do.

    Values of a column are put in order, the label among the columns; ranks become normal scores, whose correlations
    are those of a normal distribution from which new scores are drawn. Values that are no numbers stand in the order
    of their mean label; missing numbers are missing at random. Only values that occur are drawn, so types and bounds
    stay as they are.

    References:
      Nelsen. An Introduction to Copulas. 2nd edition, Springer 2006, sections 2.3 and 2.9; Patki, Wedge,
      Veeramachaneni. The Synthetic Data Vault. DSAA 2016, doi:10.1109/DSAA.2016.49, section III.
    """

    def __call__(self, records: Records, n: int, rng: np.random.Generator) -> Records:
        """``n`` records.

        Raises:
          NotApplicableError: Texts, sparse matrices, or too many columns.
          DataError: Fewer than two records to learn from.
        """
        from scipy.special import ndtr

        known, width = len(records), _width(records)
        if known < 2:
            raise DataError(f"expected at least two records to learn a copula from, got {known}")
        label = _codes(records.y, None)
        columns = [_codes(_column(records, i), label) for i in range(width)] + [label]
        factor = _factor(columns)
        level = np.empty((len(columns), n))
        for start in range(0, n, ROWS):
            drawn = rng.standard_normal((len(columns), min(n, start + ROWS) - start))
            level[:, start : start + ROWS] = ndtr(factor @ drawn)
        return _drawn(records, [_rows(codes, at, rng) for codes, at in zip(columns, level, strict=True)])


def _rows(codes: NDArray[np.intp], level: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """Rows whose value in this column is at these levels of it, missing ones as often as they are."""
    order, missing = np.lexsort((rng.random(len(codes)), codes)), np.flatnonzero(codes < 0)
    present = order[len(missing) :]
    if not len(present):
        return np.asarray(rng.choice(missing, len(level)))
    rows = present[np.minimum((level * len(present)).astype(np.intp), len(present) - 1)]
    gone = rng.random(len(level)) < len(missing) / len(codes)
    rows[gone] = rng.choice(missing, int(gone.sum())) if len(missing) else rows[gone]
    return np.asarray(rows)


def _factor(columns: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Lower triangle whose product with itself is the correlation of the normal scores behind the columns."""
    together = correlation(columns)
    try:
        return np.asarray(np.linalg.cholesky(together))
    except np.linalg.LinAlgError:  # corrected one by one, correlations need not fit together
        value, direction = np.linalg.eigh(together)
        root = direction * np.sqrt(np.maximum(value, SHRUNK))
        root /= np.sqrt((root**2).sum(axis=1))[:, None]
        return np.asarray(root)


def correlation(columns: list[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Correlations of the normal scores behind columns of codes, drawn a little to none, ``(columns, columns)``.

    Equal values share the mean of their scores. That makes scores of few values vary less than those behind them, and
    correlations too small by just that variance; it is divided out (exact where one of the two has no equal values).
    Missing values, below 0, tell nothing.
    """
    from scipy.special import ndtri

    known = len(columns[0])
    scores = np.zeros((len(columns), known))
    for column, codes in enumerate(columns):
        ordered = np.argsort(codes, kind="stable")[int((codes < 0).sum()) :]
        usual = ndtri((np.arange(len(ordered)) + 0.5) / max(1, len(ordered)))
        group = np.unique(codes[ordered], return_inverse=True)[1].reshape(-1)
        shared = (np.bincount(group, usual) / np.bincount(group))[group]
        spread = float((shared**2).sum()) / known
        scores[column, ordered] = shared / spread if spread > 1e-9 else 0.0
    together = np.clip(scores @ scores.T / known, -1.0, 1.0) * (1 - SHRUNK)
    np.fill_diagonal(together, 1.0)
    return np.asarray(together)


def _width(records: Records) -> int:
    """Number of columns, of records that can be made up."""
    X = records.X
    if hasattr(X, "tocsr") or (isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind not in "fiub"):
        raise NotApplicableError("needs tables or arrays to make up records, not texts or sparse matrices")
    width = int(np.prod(X.shape[1:], dtype=np.intp)) if isinstance(X, np.ndarray) else len(records.columns)
    if width > WIDEST:
        raise NotApplicableError(f"needs at most {WIDEST:,} columns to make up records, there are {width:,}")
    return width


def _column(records: Records, position: int) -> NDArray[Any]:
    if isinstance(records.X, np.ndarray):
        return np.asarray(records.X.reshape(len(records), -1)[:, position])
    return records.column(records.columns[position])


def _codes(values: NDArray[Any], label: NDArray[np.intp] | None) -> NDArray[np.intp]:
    """Values as positions in their order: numbers by size, -1 where missing; all else by mean label, or by text."""
    if values.dtype.kind in "fiubmM":
        codes = np.unique(values, return_inverse=True)[1].reshape(-1)
        return np.where(values != values, -1, codes)  # what is missing differs from itself
    codes = np.unique(np.array([str(v) for v in values.tolist()]), return_inverse=True)[1].reshape(-1)
    if label is None:
        return codes
    mean = np.bincount(codes, label) / np.bincount(codes)
    return np.asarray(np.argsort(np.argsort(mean, kind="stable"), kind="stable")[codes])


def _drawn(records: Records, rows: list[NDArray[np.intp]]) -> Records:
    """Records whose columns, the label last, are taken from these rows each."""
    X, y = records.X, records.y[rows[-1]]
    if isinstance(X, np.ndarray):
        flat = X.reshape(len(X), -1)
        made = np.empty((len(y), flat.shape[1]), dtype=X.dtype)
        for position, chosen in enumerate(rows[:-1]):
            made[:, position] = flat[chosen, position]
        return Records(made.reshape(len(y), *X.shape[1:]), y)
    if hasattr(X, "iloc"):  # pandas would align the columns by their old index
        import pandas as pd

        parts = [X.iloc[:, i].array.take(chosen) for i, chosen in enumerate(rows[:-1])]
        frame = pd.DataFrame(dict(enumerate(parts)), index=pd.RangeIndex(len(y)))
        frame.columns = X.columns
        return Records(frame, y)
    import narwhals as nw

    native = nw.from_native(X, eager_only=True)
    taken = [native.get_column(name)[chosen.tolist()] for name, chosen in zip(native.columns, rows[:-1], strict=True)]
    return Records(nw.concat([part.to_frame() for part in taken], how="horizontal").to_native(), y)
