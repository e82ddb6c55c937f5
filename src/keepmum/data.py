"""Records and how they are divided: members, non-members, population.

A frame of any kind (numpy, pandas, polars, pyarrow, scipy sparse, a list of texts) is kept as it came, so
that a pipeline receives what it was fitted on; narwhals does the row selection for data frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError


def _is_frame(values: Any) -> bool:
    return not isinstance(values, np.ndarray) and (hasattr(values, "columns") or hasattr(values, "column_names"))


def _as_native(values: Any) -> Any:
    """Leave frames, arrays and sparse matrices alone; turn pyarrow tables into pandas, lists into arrays."""
    if isinstance(values, np.ndarray) or hasattr(values, "tocsr"):
        return values
    if hasattr(values, "column_names") and hasattr(values, "to_pandas"):
        return values.to_pandas()
    if _is_frame(values):
        return values
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    return np.asarray(values)


def _rows(values: Any) -> int:
    return int(values.shape[0])


def _take(values: Any, index: NDArray[np.intp]) -> Any:
    if isinstance(values, np.ndarray):
        return values[index]
    if hasattr(values, "tocsr"):
        return values.tocsr()[index]
    import narwhals as nw

    return nw.from_native(values, eager_only=True)[index.tolist(), :].to_native()


def column_names(values: Any) -> list[str]:
    """Names of the columns of a frame; ``["0", "1", …]`` for an array."""
    if _is_frame(values):
        return [str(name) for name in values.columns]
    return [str(i) for i in range(values.shape[1])] if values.ndim > 1 else ["0"]


def _concat(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        if first.shape[1:] != second.shape[1:]:
            raise DataError(
                f"expected members and non-members of one shape, got rows of shape {first.shape[1:]} and "
                f"{second.shape[1:]}: give both the same columns in the same order"
            )
        return np.concatenate([first, second])
    if hasattr(first, "tocsr") and hasattr(second, "tocsr"):
        from scipy import sparse

        if first.shape[1] != second.shape[1]:
            raise DataError(f"expected the same number of columns, got {first.shape[1]} and {second.shape[1]}")
        return sparse.vstack([first, second]).tocsr()
    if _is_frame(first) and _is_frame(second) and type(first) is type(second):
        names, others = list(first.columns), list(second.columns)
        if set(names) != set(others):
            odd = sorted(str(name) for name in set(names) ^ set(others))
            raise DataError(f"members and non-members have different columns: {', '.join(odd[:5])} is in one only")
        if not all(isinstance(name, str) for name in names):  # pandas allows names that are no text
            import pandas as pd

            return pd.concat([first, second[names]], ignore_index=True)
        import narwhals as nw

        frames = [nw.from_native(f, eager_only=True).select(names) for f in (first, second)]
        schemas = [f.schema for f in frames]
        unlike = [name for name in names if schemas[0][name] != schemas[1][name]]
        for name in unlike:  # an int column without gaps beside a float column with them, say
            number = all(s[name].is_numeric() or s[name] == nw.Boolean() for s in schemas)
            common = nw.Float64() if number else nw.String()
            frames = [f.with_columns(nw.col(name).cast(common)) for f in frames]
        return nw.concat(frames, how="vertical").to_native()
    raise DataError(
        f"expected members and non-members of one kind, got {type(first).__name__} and {type(second).__name__}"
    )


@dataclass(frozen=True, eq=False)
class Records:
    """Rows about people, with the label of each.

    Attributes:
      X: What the model is asked about: ``(n, …)`` array, data frame, sparse matrix, or ``(n,)`` texts.
      y: ``(n,)`` labels, as the model knows them; numbers for a regression.
      ids: ``(n,)`` integers that tell the rows of one audit apart, or None for rows made up by an attack.
    """

    X: Any
    y: NDArray[Any]
    ids: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "X", _as_native(self.X))
        y = _as_native(self.y)
        if _is_frame(y):
            y = np.asarray(y.to_numpy())
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        object.__setattr__(self, "y", y)
        if getattr(self.X, "ndim", 2) == 0:
            raise DataError(f"expected records as rows, got a single value of type {type(self.X).__name__}")
        if self.y.ndim != 1:
            raise DataError(f"expected labels of shape (n,), got {self.y.shape}")
        if _rows(self.X) != len(self.y):
            raise DataError(f"expected one label a record, got {_rows(self.X)} records and {len(self.y)} labels")
        if len(self.y) and _missing(self.y):
            raise DataError("expected a label for every record, got missing ones: drop those records first")

    def __len__(self) -> int:
        return len(self.y)

    def take(self, index: NDArray[Any]) -> Records:
        """The rows at ``index`` (integers, or a mask), in that order."""
        rows = np.flatnonzero(index) if index.dtype == bool else np.asarray(index, dtype=np.intp)
        ids = None if self.ids is None else self.ids[rows]
        return Records(_take(self.X, rows), self.y[rows], ids)

    def join(self, other: Records) -> Records:
        """These rows, followed by those of ``other``."""
        ids = None
        if self.ids is not None and other.ids is not None:
            ids = np.concatenate([self.ids, other.ids])
        return Records(_concat(self.X, other.X), _concat_labels(self.y, other.y), ids)

    @property
    def columns(self) -> list[str]:
        """Column names, ``["0", "1", …]`` for arrays."""
        return column_names(self.X)

    def column(self, name: str) -> NDArray[Any]:
        """One column as an array.

        Raises:
          DataError: No such column.
        """
        names = self.columns
        if name not in names:
            raise DataError(f"no column {name!r} among {', '.join(names[:12])}{' …' if len(names) > 12 else ''}")
        if _is_frame(self.X):
            import narwhals as nw

            return np.asarray(nw.from_native(self.X, eager_only=True)[:, names.index(name)].to_numpy())
        values = self.X[:, names.index(name)] if self.X.ndim > 1 else self.X
        return np.asarray(values.toarray()).ravel() if hasattr(values, "toarray") else np.asarray(values)

    def replace(self, donors: Records, names: Sequence[str]) -> Records:
        """These rows with the columns ``names`` of ``donors``, which has as many rows; labels stay, ids do not.

        Raises:
          DataError: Not a table of columns, or not as many rows.
        """
        if hasattr(self.X, "tocsr") or getattr(self.X, "ndim", 2) != 2 or len(donors) != len(self):
            raise DataError("expected tables of columns with as many rows: a data frame, or an array of shape (n, d)")
        return Records(_replaced(self.X, donors.X, names), self.y)


def _replaced(values: Any, donors: Any, names: Sequence[str]) -> Any:
    """The rows of a table with some columns of other rows, of the same number and kind."""
    if isinstance(values, np.ndarray):
        places = [int(name) for name in names]
        changed = values.copy()
        changed[:, places] = donors[:, places]
        return changed
    import narwhals as nw

    frame, other = (nw.from_native(part, eager_only=True) for part in (values, donors))
    places = [column_names(values).index(name) for name in names]
    other = nw.maybe_reset_index(other)
    return nw.maybe_reset_index(frame).with_columns(*(other[:, place] for place in places)).to_native()


def _missing(y: NDArray[Any]) -> bool:
    if y.dtype.kind == "f":
        return bool(np.isnan(y).any())
    if y.dtype.kind == "O":
        import pandas as pd

        return bool(pd.isna(y).any())  # None, NaN, NaT, and pandas' NA, which refuses to be compared
    return False


def _concat_labels(first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
    if first.dtype.kind in "OUS" or second.dtype.kind in "OUS":
        return np.concatenate([first.astype(object), second.astype(object)])
    return np.concatenate([first, second])


@dataclass(frozen=True, eq=False)
class Split:
    """The people of an audit: those trained on, those not, and the attacker's own data.

    Attributes:
      members: Records that the model was trained on.
      nonmembers: Records of the same kind that it was not trained on.
      population: The attacker's own records of the same kind, if there are any.
    """

    members: Records
    nonmembers: Records
    population: Records | None = None

    def __post_init__(self) -> None:
        for name in ("members", "nonmembers"):
            if not len(getattr(self, name)):
                raise DataError(f"expected at least one record among the {name}, got none")
        start = 0
        if self.members.ids is None or self.nonmembers.ids is None:
            for name in ("members", "nonmembers", "population"):
                records = getattr(self, name)
                if records is not None:
                    stop = start + len(records)
                    object.__setattr__(self, name, replace(records, ids=np.arange(start, stop)))
                    start = stop
        elif self.population is not None and self.population.ids is None:
            after = 1 + int(max(self.members.ids.max(), self.nonmembers.ids.max()))
            numbered = replace(self.population, ids=np.arange(after, after + len(self.population)))
            object.__setattr__(self, "population", numbered)
        known = [side.ids for side in (self.members, self.nonmembers, self.population) if side is not None]
        ids = np.concatenate([part for part in known if part is not None])
        if len(np.unique(ids)) < len(ids):
            raise DataError(
                f"expected an id of its own for each record, got {len(ids) - len(np.unique(ids))} that stand twice "
                "among members, non-members and population: leave ids out, and they are numbered"
            )

    @cached_property
    def pool(self) -> Records:
        """Members, then non-members, in one."""
        return self.members.join(self.nonmembers)

    @cached_property
    def is_member(self) -> NDArray[np.bool_]:
        """``(n,)`` truth about `pool`."""
        return np.arange(len(self.members) + len(self.nonmembers)) < len(self.members)

    def mixed(self, seed: int) -> tuple[Records, NDArray[np.bool_]]:
        """The pool in a random order that depends on the seed alone, and the truth about it."""
        order = np.random.default_rng([seed, 0x6D6978]).permutation(len(self.is_member))
        return self.pool.take(order), self.is_member[order]


NO_LABEL = "(no label)"
"""Stands for the label of a record of the population that has none."""


def as_population(value: Records | tuple[Any, Any] | Sequence[Any]) -> Records:
    """The attacker's own records: `Records`, or an ``(X, y)`` pair; y is None where nobody knows the labels.

    Raises:
      DataError: Something else came.
    """
    if isinstance(value, (tuple, list)) and len(value) == 2 and value[1] is None:
        X = _as_native(value[0])
        if not getattr(X, "shape", ()):
            raise DataError(f"expected population as (X, y), (X, None) or Records, got {type(value[0]).__name__} as X")
        return Records(X, np.full(_rows(X), NO_LABEL, dtype=object))
    return as_records(value, "population")


def as_records(value: Records | tuple[Any, Any] | Sequence[Any], name: str) -> Records:
    """Accept `Records` or an ``(X, y)`` pair.

    Raises:
      DataError: Something else came.
    """
    if isinstance(value, Records):
        return value
    if isinstance(value, (tuple, list)) and len(value) == 2:
        return Records(value[0], value[1])
    raise DataError(f"expected {name} as (X, y) or Records, got {type(value).__name__}")
