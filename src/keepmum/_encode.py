"""Records as plain numbers, for everything that looks at people without asking the model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records

WIDEST = 2048
"""Columns kept of very wide records; texts and sparse matrices are folded into fewer."""
FOLDED = 256


def encode(records: Records) -> NDArray[np.float64]:
    """Records as ``(n, d)`` numbers: text as codes in sorted order, missing and infinite values as NaN."""
    X = records.X
    if hasattr(X, "tocsr"):
        return _fold(X.tocsr())
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
        return _finite(np.asarray(X.reshape(len(X), -1)[:, :WIDEST], dtype=np.float64))
    if isinstance(X, np.ndarray) and X.ndim == 1:
        return _fold_texts(X)
    if isinstance(X, np.ndarray):
        columns = [X.reshape(len(X), -1)[:, i] for i in range(min(WIDEST, int(np.prod(X.shape[1:]))))]
    else:
        columns = [records.column(name) for name in records.columns[:WIDEST]]
    return np.column_stack([as_numbers(column) for column in columns]) if columns else np.empty((len(records), 0))


def as_numbers(column: NDArray[Any]) -> NDArray[np.float64]:
    """One column as numbers: text and categories as codes in sorted order, missing and infinite values as NaN."""
    if column.dtype.kind in "fiub":
        return _finite(np.asarray(column, dtype=np.float64))
    if column.dtype.kind in "mM":
        return np.asarray(column.astype("int64"), dtype=np.float64)
    import pandas as pd

    numbers = pd.to_numeric(pd.Series(column), errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    missing = pd.isna(pd.Series(column)).to_numpy()
    if not (np.isnan(numbers) & ~missing).any():
        return _finite(np.asarray(numbers))
    texts = np.array([str(v) for v in column.tolist()], dtype=object)
    codes = np.unique(texts.astype(str), return_inverse=True)[1].astype(np.float64)
    codes[missing] = np.nan
    return codes


def _finite(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Learners take NaN for missing, and infinity for an error."""
    return np.where(np.isinf(numbers), np.nan, numbers) if np.isinf(numbers).any() else numbers


def _fold(matrix: Any) -> NDArray[np.float64]:
    """Sum the columns of a sparse matrix into a few, by position: enough to tell distributions apart."""
    folded = np.zeros((matrix.shape[0], min(FOLDED, matrix.shape[1])))
    entries = matrix.tocoo()
    np.add.at(folded, (entries.row, entries.col % folded.shape[1]), entries.data)
    return folded


def _fold_texts(texts: NDArray[Any]) -> NDArray[np.float64]:
    from sklearn.feature_extraction.text import HashingVectorizer

    words = HashingVectorizer(n_features=FOLDED, alternate_sign=False, norm=None)
    counts = words.transform([str(t) for t in texts.tolist()]).toarray()
    lengths = np.array([len(str(t)) for t in texts.tolist()], dtype=np.float64)
    return np.column_stack([counts, lengths])


def row_keys(records: Records) -> NDArray[np.uint64]:
    """A 64-bit key for each record and its label; equal records have equal keys, whatever the kind of frame."""
    import pandas as pd

    columns: list[NDArray[Any]]
    X = records.X
    if hasattr(X, "tocsr"):
        matrix = X.tocsr().copy()
        matrix.sort_indices()
        rows = np.split(np.arange(matrix.nnz), matrix.indptr[1:-1])
        texts = [matrix.indices[r].tobytes() + matrix.data[r].astype(np.float64).tobytes() for r in rows]
        columns = [np.array([t.hex() for t in texts], dtype=object)]
    elif isinstance(X, np.ndarray) and X.dtype.kind in "fiub":
        flat = np.ascontiguousarray(X.reshape(len(X), -1), dtype=np.float64) + 0.0
        columns = [np.array([row.tobytes().hex() for row in flat], dtype=object)]
    elif isinstance(X, np.ndarray):
        flat = X.reshape(len(X), -1)
        columns = [flat[:, i] for i in range(flat.shape[1])]
    else:
        columns = [records.column(name) for name in sorted(records.columns)]
    keys = np.full(len(records), 0x9E3779B97F4A7C15, dtype=np.uint64)
    for column in [*columns, records.y]:
        hashed = pd.util.hash_array(_canonical(column), categorize=False)
        keys = (keys ^ hashed) * np.uint64(0x100000001B3)
        keys ^= keys >> np.uint64(29)
    return keys


def _canonical(column: NDArray[Any]) -> NDArray[Any]:
    """Numbers as floats (0 for -0, one NaN), all else as text."""
    if column.dtype.kind in "fiub":
        values = column.astype(np.float64) + 0.0
        values[np.isnan(values)] = np.nan
        return values
    if column.dtype.kind in "mM":
        return column.astype("int64").astype(np.float64)
    import pandas as pd

    missing = pd.isna(column)
    values = np.empty(len(column), dtype=object)
    for i, value in enumerate(column.tolist()):
        is_number = isinstance(value, (bool, int, float))
        values[i] = "nan" if missing[i] else repr(float(value) + 0.0) if is_number else str(value)
    return values


def digest(records: Records) -> str:
    """Short fingerprint of the records in their order, for the run folder."""
    import hashlib

    return hashlib.sha256(row_keys(records).tobytes()).hexdigest()[:16]
