"""The hidden attribute: which columns, which values they can have, and what the attacker knows besides."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.attribute._spelling import Spelling, names_of, spelled
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError

MOST_VALUES = 50
"""Candidate values of a categorical attribute, at most: more of them are names rather than kinds."""
DISTINCT = 20
"""A column of numbers with more distinct values than this is continuous: its candidates are a grid."""
GRID = 12
"""Candidate values of a continuous attribute."""


@dataclass(frozen=True, eq=False)
class Hidden:
    """What is hidden about a person.

    Attributes:
      name: What the attribute is called in reports.
      columns: Columns that are hidden together: one; several whose values are guessed in combination; or the columns
        of a one-hot group.
      values: Name of each of the ``V`` candidate values.
      unknown: Further columns that the attacker does not know.
      continuous: Whether the values are a grid of numbers.
      tolerance: A guess of a number is right if it is off by at most this many standard deviations.
      scale: Standard deviation of a continuous attribute among all people; 1 for others.
      donors: ``V`` records, each with one of the values in the hidden columns.
      numbers: ``(V,)`` values of a continuous attribute; positions of others.
      spelling: How values are written as texts, the same for all people; read off the records asked about if None.
    """

    name: str
    columns: tuple[str, ...]
    values: tuple[str, ...]
    unknown: tuple[str, ...] = ()
    continuous: bool = False
    tolerance: float = 0.5
    scale: float = 1.0
    donors: Records = field(repr=False, kw_only=True)
    numbers: NDArray[np.float64] = field(repr=False, kw_only=True)
    spelling: Spelling | None = field(default=None, repr=False, kw_only=True)

    def __len__(self) -> int:
        return len(self.values)

    def positions(self, records: Records) -> NDArray[np.intp]:
        """Which candidate value each record has, shape ``(n,)``; the nearest of a grid; -1 where it is missing."""
        if self.continuous:
            truth = self.truth(records)
            middles = (self.numbers[1:] + self.numbers[:-1]) / 2
            return np.where(np.isnan(truth), -1, np.searchsorted(middles, truth)).astype(np.intp)
        place = {value: i for i, value in enumerate(self.values)}
        names = names_of(records, self.columns, self.spelling or spelled(records, self.columns))
        return np.fromiter((place.get(name, -1) for name in names), dtype=np.intp, count=len(names))

    def truth(self, records: Records) -> NDArray[np.float64]:
        """The value of each record, shape ``(n,)``: the number of a continuous attribute, else its position."""
        if self.continuous:
            return np.asarray(records.column(self.columns[0]), dtype=np.float64)
        return self.positions(records).astype(np.float64)


def hide(wanted: str, split: Split, known: Sequence[str] | None = None, tolerance: float = 0.5) -> Hidden:
    """A hidden attribute from what a person wrote.

    Args:
      wanted: A column; several with ``+`` between them, which are guessed in combination or are a one-hot group; with
        ``name=`` before them to call them something.
      split: Everyone: the candidate values are those that occur.
      known: Columns that the attacker knows; all that are not hidden if None. The label is known.
      tolerance: How far a guessed number may be off, in standard deviations.

    Raises:
      ConfigError: No such column, or nothing to guess.
      DataError: Records without columns.
    """
    pool = split.pool
    if split.population is not None:
        odd = sorted({*pool.columns} ^ {*split.population.columns})
        if odd:
            raise DataError(f"population: expected the columns of the members, {', '.join(odd[:5])} is in one only")
        pool = pool.join(split.population)
    _check_table(pool)
    name, columns = _columns(wanted, pool.columns)
    unknown = _unknown(name, columns, known, pool.columns)
    if not tolerance > 0:
        raise ConfigError(f"expected a tolerance above 0, in standard deviations, got {tolerance}")
    if len(columns) == 1:
        numbers = _numbers(pool.column(columns[0]))
        if numbers is not None and len(np.unique(numbers[~np.isnan(numbers)])) > DISTINCT:
            _check_label(name, numbers, pool.y)
            return _grid(name, columns, numbers, pool, unknown, tolerance)
    return _categories(name, columns, pool, unknown, tolerance)


def _check_table(records: Records) -> None:
    shape: tuple[int, ...] = tuple(getattr(records.X, "shape", (0,)))
    if hasattr(records.X, "tocsr") or len(shape) != 2 or not shape[1]:
        raise DataError(
            "expected records as a table of columns to hide one of, got "
            f"{'a sparse matrix' if hasattr(records.X, 'tocsr') else 'none'}: give a data frame or an array (n, d)"
        )


def _columns(wanted: str, there: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Name and columns; a column's own name may hold any sign."""
    cuts = [place for place, sign in enumerate(wanted) if sign == "="]
    readings = [(wanted, wanted), *((wanted[:cut].strip(), wanted[cut + 1 :].strip()) for cut in cuts)]
    for name, rest in readings:
        columns = (rest,) if rest in there else tuple(part.strip() for part in rest.split("+"))
        if all(column in there for column in columns):
            if len(set(columns)) < len(columns):
                raise ConfigError(f"hidden: a column stands twice in {wanted!r}: name each once")
            return name or rest, columns
    _, rest = readings[-1]
    column = next(part for part in map(str.strip, rest.split("+")) if part not in there)
    near = difflib.get_close_matches(column, there, 1, 0.5)
    some = ", ".join(there[:12]) + (" …" if len(there) > 12 else "")
    hint = f"did you mean {near[0]!r}?" if near else f"there are {some}"
    raise ConfigError(f"hidden: no column {column!r} among the records; {hint}")


def _unknown(name: str, columns: Sequence[str], known: Sequence[str] | None, there: Sequence[str]) -> tuple[str, ...]:
    if known is None:
        return ()
    for column in known:
        if column not in there:
            near = difflib.get_close_matches(column, there, 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(list(there)[:12])}"
            raise ConfigError(f"known: no column {column!r} among the records; {hint}")
    return tuple(column for column in there if column not in columns and column not in known)


def _numbers(column: NDArray[np.generic]) -> NDArray[np.float64] | None:
    return np.asarray(column, dtype=np.float64) if column.dtype.kind in "fiu" else None


def _categories(
    name: str, columns: tuple[str, ...], pool: Records, unknown: tuple[str, ...], tolerance: float
) -> Hidden:
    spelling = spelled(pool, columns)
    names = np.array(names_of(pool, columns, spelling), dtype=object)
    values, first = np.unique(names.astype(str), return_index=True)
    values, first = values[values != ""], first[values != ""]
    _check_values(name, len(values), str(values[0]) if len(values) else "")
    _check_label(name, names, pool.y)
    return Hidden(
        name,
        columns,
        tuple(str(v) for v in values),
        unknown,
        tolerance=tolerance,
        donors=pool.take(first),
        numbers=np.arange(len(values), dtype=np.float64),
        spelling=spelling,
    )


def _check_values(name: str, count: int, first: str) -> None:
    if count < 2:
        only = f"it is {first!r} for everybody" if count else "it is missing for everybody"
        raise ConfigError(f"hidden {name}: expected at least 2 candidate values, got {count}: {only}")
    if count > MOST_VALUES:
        raise ConfigError(
            f"hidden {name}: expected at most {MOST_VALUES} candidate values, got {count:,}: group rare ones together, "
            "or hide another column"
        )


def _check_label(name: str, values: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
    """An attribute that is the label in other words is known to whoever knows the label."""
    ours = np.unique(values.astype(str), return_inverse=True)[1]
    theirs = np.unique(labels.astype(str), return_inverse=True)[1]
    pairs = len(np.unique(ours.astype(np.int64) * (theirs.max() + 1) + theirs))
    if pairs == ours.max() + 1 == theirs.max() + 1 and (pairs < len(values) or _in_order(values, labels)):
        raise ConfigError(
            f"hidden {name}: it tells the same as the label, which the attacker is taken to know: hide another column"
        )


def _in_order(values: NDArray[np.generic], labels: NDArray[np.generic]) -> bool:
    """Whether one rises or falls with the other: numbers of which none occurs twice go one to one with anything."""
    if values.dtype.kind not in "fiu" or labels.dtype.kind not in "fiu":
        return False
    steps = np.diff(labels[np.argsort(values)].astype(np.float64))
    return bool((steps >= 0).all() or (steps <= 0).all())


def _grid(
    name: str,
    columns: tuple[str, ...],
    numbers: NDArray[np.float64],
    pool: Records,
    unknown: tuple[str, ...],
    tolerance: float,
) -> Hidden:
    """Candidates at the middles of equally many people each, each a number that occurs."""
    there = np.flatnonzero(~np.isnan(numbers))
    ordered = there[np.argsort(numbers[there], kind="stable")]
    places = ((np.arange(GRID) + 0.5) / GRID * len(ordered)).astype(np.intp)
    grid, first = np.unique(numbers[ordered[places]], return_index=True)
    _check_values(name, len(grid), f"{grid[0]:g}")
    return Hidden(
        name,
        columns,
        tuple(f"{v:g}" for v in grid),
        unknown,
        continuous=True,
        tolerance=tolerance,
        scale=float(numbers[there].std()),
        donors=pool.take(ordered[places[first]]),
        numbers=grid,
    )
