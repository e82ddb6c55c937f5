"""The space of records that an attacker searches: numbers within a box, and kinds that are seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import encode
from keepmum.attacks.inversion._base import Floats
from keepmum.data import Records
from keepmum.errors import ConfigError, NotApplicableError

Indices = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Kind:
    """A column, or a one-hot group of columns, whose values are kinds.

    Attributes:
      columns: Places of the columns.
      donors: ``(v,)`` one of the attacker's records of each kind.
      shares: ``(v,)`` share of each kind among the attacker's records.
    """

    columns: tuple[int, ...]
    donors: Indices
    shares: Floats


@dataclass(frozen=True, eq=False)
class Columns:
    """How records can look, as far as the attacker's own records tell.

    Attributes:
      public: The attacker's ``n`` records.
      values: ``(n, d)`` numbers, or codes of what is none.
      numbers: ``(a,)`` places of the columns that are numbers.
      low: ``(a,)`` smallest value of each.
      high: ``(a,)`` largest value of each; the same where the value is given.
      center: ``(a,)`` mean of each.
      spread: ``(a,)`` standard deviation of each.
      whole: ``(a,)`` whether all are whole numbers.
      kinds: The other columns, ``b`` in all, each one-hot group as one.
    """

    public: Records
    values: Floats
    numbers: Indices
    low: Floats
    high: Floats
    center: Floats
    spread: Floats
    whole: NDArray[np.bool_]
    kinds: tuple[Kind, ...]

    def usual(self, numbers: Floats, kinds: Indices) -> Floats:
        """Log-density of records among the attacker's, columns taken as independent, but for a constant; ``(m,)``."""
        logs = -0.5 * (((numbers - self.center) / self.spread) ** 2).sum(axis=1)
        for place, kind in enumerate(self.kinds):
            logs += np.log(kind.shares)[kinds[:, place]]
        return np.asarray(logs)

    def rows(self, numbers: Floats, kinds: Indices) -> Records:
        """Records with these values, in the columns' own types; their labels mean nothing.

        Args:
          numbers: ``(m, a)``.
          kinds: ``(m, b)`` which kind, for each column or group that is no number.
        """
        donors = np.zeros((len(numbers), self.values.shape[1]), dtype=np.intp)
        for place, kind in enumerate(self.kinds):
            donors[:, list(kind.columns)] = kind.donors[kinds[:, place], None]
        rounded = np.where(self.whole, np.rint(numbers), numbers)
        moved = dict(zip(self.numbers.tolist(), rounded.T, strict=True))
        return Records(_built(self.public.X, moved, donors), self.public.y[np.zeros(len(numbers), dtype=np.intp)])


def columns(public: Records, start: Sequence[tuple[str, Any]] = ()) -> Columns:
    """Learn how records can look.

    Numbers are columns with more than two different ones; neighboring columns of 0 and 1 of which exactly one is 1 in
    every record are a one-hot group; everything else takes the values that occur.

    Args:
      public: The attacker's records.
      start: Columns whose value is given, with the value.

    Raises:
      NotApplicableError: No table of columns.
      ConfigError: A given column that is not there, or a value that none of the records has.
    """
    X = public.X
    if hasattr(X, "tocsr") or len(getattr(X, "shape", ())) != 2 or not X.shape[1]:
        raise NotApplicableError("needs records as a table of columns: a data frame, or an array of shape (n, d)")
    values, names = encode(public), public.columns
    if values.shape[1] < len(names):
        raise NotApplicableError(f"needs at most {values.shape[1]:,} columns, got {len(names):,}")
    is_number = np.array([_distinct(values[:, j]) > 2 and _holds_numbers(public, j) for j in range(len(names))])
    numbers, groups = np.flatnonzero(is_number), _one_hot(values)
    grouped = {j for group in groups for j in group}
    lone = [(j,) for j in range(len(names)) if not is_number[j] and j not in grouped]
    some = np.where(np.isfinite(values[:, numbers]), values[:, numbers], np.nan)
    given = _given(public, start)
    low, high = np.nanmin(some, axis=0, initial=np.inf), np.nanmax(some, axis=0, initial=-np.inf)
    for place, j in enumerate(numbers.tolist()):
        if j in given:
            low[place] = high[place] = _number(names[j], given[j])
    return Columns(
        public=public,
        values=values,
        numbers=numbers,
        low=low,
        high=high,
        center=np.nanmean(some, axis=0),
        spread=np.nanstd(some, axis=0),
        whole=np.all((some == np.floor(some)) | np.isnan(some), axis=0),
        kinds=tuple(_kind(public, values, group, given) for group in [*groups, *lone]),
    )


def _given(public: Records, start: Sequence[tuple[str, Any]]) -> dict[int, Any]:
    names = public.columns
    for name, _ in start:
        if name not in names:
            some = ", ".join(names[:12]) + (" …" if len(names) > 12 else "")
            raise ConfigError(f"start: no column {name!r} among the records; there are {some}")
    return {names.index(name): value for name, value in start}


def _number(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as err:
        raise ConfigError(f"start: expected a number for column {name!r}, got {value!r}") from err


def _distinct(column: Floats) -> int:
    known = column[np.isfinite(column)]
    if not len(known):
        return 0
    between = (known != known.min()) & (known != known.max())
    return 3 if between.any() else 1 + int(known.min() != known.max())


def _column(records: Records, place: int) -> NDArray[Any]:
    return np.asarray(
        records.X[:, place] if isinstance(records.X, np.ndarray) else records.column(records.columns[place])
    )


def _holds_numbers(records: Records, place: int) -> bool:
    column = _column(records, place)
    if column.dtype.kind == "O":
        return all(type(value) in (int, float) for value in column.tolist())
    return column.dtype.kind in "fiu"


def _one_hot(values: Floats) -> list[tuple[int, ...]]:
    """Runs of neighboring columns of 0 and 1, of which exactly one is 1 in every record."""
    binary = [set(np.unique(column).tolist()) <= {0.0, 1.0} for column in values.T]
    groups, start = [], 0
    while start < len(binary):
        total, stop = np.zeros(len(values)), start
        while stop < len(binary) and binary[stop] and (total < 1).any():
            total = total + values[:, stop]
            stop += 1
            if (total > 1).any():
                break
        if stop - start > 1 and (total == 1).all():
            groups.append(tuple(range(start, stop)))
            start = stop
        else:
            start += 1
    return groups


def _kind(public: Records, values: Floats, places: tuple[int, ...], given: dict[int, Any]) -> Kind:
    rows = values[:, list(places)]
    rows = np.where(np.isnan(rows), -np.inf, rows)
    _, donors, counts = np.unique(rows, axis=0, return_index=True, return_counts=True)
    keep = np.ones(len(donors), dtype=bool)
    for j in set(places) & set(given):
        column = _column(public, j)[donors].tolist()
        keep &= np.array([_same(value, given[j]) for value in column])
    if not keep.any():
        told = ", ".join(f"{public.columns[j]}={given[j]!r}" for j in places if j in given)
        raise ConfigError(f"start: none of the attacker's records has {told}: give a value that occurs")
    return Kind(places, donors[keep], counts[keep] / counts[keep].sum())


def _same(first: Any, second: Any) -> bool:
    """The same value for 1, 1.0 and True, and for text as text."""
    return bool(first == second) or str(first) == str(second)


def _built(X: Any, moved: dict[int, Floats], donors: Indices) -> Any:
    """Rows of a table with some columns set, and the others taken from rows of it; types of columns stay."""
    if isinstance(X, np.ndarray):
        built = X[donors, np.arange(X.shape[1])]
        for j, values in moved.items():
            built[:, j] = values
        return built
    first = np.zeros(len(donors), dtype=np.intp)
    if hasattr(X, "isetitem"):
        import pandas as pd

        frame = X.take(first).reset_index(drop=True)
        for j, dtype in enumerate(X.dtypes):
            frame.isetitem(j, pd.array(moved[j], dtype=dtype) if j in moved else X.iloc[:, j].take(donors[:, j]).array)
        return frame
    import narwhals as nw

    table = nw.from_native(X, eager_only=True)
    backend = nw.get_native_namespace(table)
    series = [table[:, j] for j in range(donors.shape[1])]
    fresh = [
        nw.new_series(s.name, _typed(moved[j], s), s.dtype, backend=backend) if j in moved else s[donors[:, j].tolist()]
        for j, s in enumerate(series)
    ]
    return table[first.tolist(), :].with_columns(*fresh).to_native()


def _typed(values: Floats, series: Any) -> NDArray[Any]:
    return values.astype(np.int64) if series.dtype.is_integer() else values
