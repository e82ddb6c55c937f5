"""Candidate values as texts, written in one way for whichever of the people are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records


@dataclass(frozen=True)
class Spelling:
    """How the values of some columns are written: what holds for everybody must be used for each part of them.

    Attributes:
      whole: For each column whether its numbers are whole; None where it holds no numbers.
      one_hot: Whether the columns are a one-hot group, whose values are the names of the columns.
    """

    whole: tuple[bool | None, ...]
    one_hot: bool


def spelled(records: Records, columns: Sequence[str]) -> Spelling:
    """The spelling that fits these people."""
    values = [records.column(column) for column in columns]
    whole = tuple(_whole(column) if column.dtype.kind in "fiu" else None for column in values)
    return Spelling(whole, len(columns) > 1 and _is_one_hot(values))


def names_of(records: Records, columns: Sequence[str], spelling: Spelling) -> list[str]:
    """The candidate value of each record as a text: missing values as an empty one."""
    values = [records.column(column) for column in columns]
    if spelling.one_hot:
        table = np.column_stack([column.astype(np.float64) for column in values])
        gone = np.asarray(np.isnan(table).any(axis=1))
        names = np.array(columns, dtype=object)[(table == 1).argmax(axis=1)]
        return [str(name) for name in np.where(gone, "", names)]
    parts = [_texts(column, whole) for column, whole in zip(values, spelling.whole, strict=True)]
    if len(columns) == 1:
        return parts[0]
    rows = zip(*parts, strict=True)
    return ["" if "" in row else ", ".join(f"{c}={v}" for c, v in zip(columns, row, strict=True)) for row in rows]


def _whole(numbers: NDArray[Any]) -> bool:
    return not (numbers[np.isfinite(numbers)] % 1).any()


def _is_one_hot(values: Sequence[NDArray[Any]]) -> bool:
    if not all(column.dtype.kind in "fiub" for column in values):
        return False
    table = np.column_stack([column.astype(np.float64) for column in values])
    table = table[~np.isnan(table).any(axis=1)]
    return bool(np.isin(table, (0, 1)).all() and (table.sum(axis=1) == 1).all())


def _texts(column: NDArray[Any], whole: bool | None) -> list[str]:
    import pandas as pd

    missing = pd.isna(pd.Series(column)).to_numpy().tolist()
    as_number = whole is not None and column.dtype.kind in "fiub"
    values = column.astype(np.float64).tolist() if as_number and column.dtype.kind != "i" else column.tolist()
    if as_number:
        values = [
            v if gone or v in (np.inf, -np.inf) else int(v) if whole else float(v)
            for v, gone in zip(values, missing, strict=True)
        ]
    return ["" if gone else str(v) for v, gone in zip(values, missing, strict=True)]
