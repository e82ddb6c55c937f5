"""Known columns as numbers, for those who learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import as_numbers
from keepmum.data import Records

Floats = NDArray[np.float64]
MOST_KINDS = 40
"""Values of a column of kinds that get a column of their own; rarer ones share one."""
NUMBERS = 20
"""Labels with more distinct values are numbers to be predicted, not classes."""


@dataclass(frozen=True, eq=False)
class Features:
    """Known columns of two groups of people, in one coding.

    Attributes:
      columns: The known columns.
      public: ``(P, d)`` of the attacker's own people: numbers standardized, kinds one-hot, missing values flagged.
      people: ``(n, d)`` of the people asked about.
      public_codes: ``(P, c)``, one column each: numbers as they are, kinds as codes, missing as NaN.
      people_codes: ``(n, c)``.
      kinds: ``(c,)`` which columns are kinds.
      public_label: ``(P, l)`` labels: one-hot, or standardized where they are numbers.
      people_label: ``(n, l)``.
    """

    columns: tuple[str, ...]
    public: Floats
    people: Floats
    public_codes: Floats
    people_codes: Floats
    kinds: NDArray[np.bool_]
    public_label: Floats
    people_label: Floats


def features(public: Records, people: Records, known: Sequence[str]) -> Features:
    """Code the known columns of both together."""
    everyone, count = public.join(people), len(public)
    columns = [everyone.column(name) for name in known]
    codes = [as_numbers(column) for column in columns]
    kinds = [column.dtype.kind not in "fiubmM" and not _is_numeric(column) for column in columns]
    wide = [_one_hot(code) if kind else _standard(code) for code, kind in zip(codes, kinds, strict=True)]
    table = np.column_stack(wide) if wide else np.empty((len(everyone), 0))
    plain = np.column_stack(codes) if codes else np.empty((len(everyone), 0))
    label = _label(everyone.y)
    return Features(
        tuple(known),
        table[:count],
        table[count:],
        plain[:count],
        plain[count:],
        np.array(kinds, dtype=bool),
        label[:count],
        label[count:],
    )


def _is_numeric(column: NDArray[Any]) -> bool:
    return all(isinstance(v, (int, float)) or v is None for v in column.tolist())


def _one_hot(codes: Floats) -> Floats:
    """A column for each of the most frequent kinds; rarer ones and missing values share the last."""
    known = codes[~np.isnan(codes)]
    values, counts = np.unique(known, return_counts=True)
    kept = np.sort(values[np.argsort(-counts, kind="stable")[:MOST_KINDS]])
    table = (codes[:, None] == kept).astype(np.float64)
    return np.column_stack([table, 1 - table.sum(axis=1)])


def _standard(numbers: Floats) -> Floats:
    """Zero mean and unit spread; missing numbers at the mean, with a column that says so where there are any."""
    gone = np.isnan(numbers)
    if gone.all():
        return np.zeros((len(numbers), 1))
    spread = float(numbers[~gone].std())
    scaled = np.where(gone, 0.0, (numbers - numbers[~gone].mean()) / (spread if spread > 0 else 1.0))
    return np.column_stack([scaled, gone]) if gone.any() else scaled[:, None]


def _label(labels: NDArray[Any]) -> Floats:
    if labels.dtype.kind in "fiu" and len(np.unique(labels)) > NUMBERS:
        return _standard(labels.astype(np.float64))
    codes = np.unique(labels.astype(str), return_inverse=True)[1].astype(np.float64)
    return _one_hot(codes)
