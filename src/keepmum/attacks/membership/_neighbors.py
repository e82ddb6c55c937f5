"""Records near a record: noisy copies, copies with one thing changed, points on the way to somebody else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records, column_names
from keepmum.errors import NotApplicableError


class Neighbors(ABC):
    """What lies around each of some records. Every answer holds one row for each of them, in their order, without ids.

    Args:
      records: The records; what others among them have is what a record can be changed to.
    """

    def __init__(self, records: Records) -> None:
        self.records = records

    @abstractmethod
    def noisy(self, rng: np.random.Generator, scale: float) -> Records:
        """A copy of each record with noise.

        Args:
          rng: Where the noise comes from.
          scale: Standard deviation of the noise, in units of the column's own; what has no such unit (categories,
            words) is changed with this probability.
        """

    @abstractmethod
    def changed(self, rng: np.random.Generator, turn: int) -> Records:
        """A copy of each record with one thing changed, another one at every turn."""

    def _with(self, X: Any) -> Records:
        return Records(X, self.records.y)


class Sparse(Neighbors):
    """Around rows of a sparse matrix: entries are taken from somebody else, or taken out."""

    def noisy(self, rng: np.random.Generator, scale: float) -> Records:
        """Each column is as in another record with probability ``scale``, at most one half."""
        mine = self.records.X.tocsr()
        theirs = mine[rng.permutation(mine.shape[0])]
        either = (abs(mine) + abs(theirs)).tocsr()
        either.data = (rng.random(len(either.data)) < min(scale, 0.5)).astype(mine.dtype)
        changed = (mine - mine.multiply(either) + theirs.multiply(either)).tocsr()
        changed.eliminate_zeros()
        return self._with(changed)

    def changed(self, rng: np.random.Generator, turn: int) -> Records:
        """One entry is taken out, the next one at every turn."""
        X = self.records.X.tocsr().copy()
        counts = np.diff(X.indptr)
        some = np.flatnonzero(counts)
        X.data[X.indptr[some] + (some + turn) % counts[some]] = 0
        X.eliminate_zeros()
        return self._with(X)


class Texts(Neighbors):
    """Around texts: words are left out."""

    def noisy(self, rng: np.random.Generator, scale: float) -> Records:
        """Every word is left out with probability ``scale``, at most one half."""
        return self._without(lambda row, words: rng.random(words) < min(scale, 0.5))

    def changed(self, rng: np.random.Generator, turn: int) -> Records:
        """One word is left out, the next one at every turn."""
        return self._without(lambda row, words: np.arange(words) == (row + turn) % max(1, words))

    def _without(self, dropped: Callable[[int, int], NDArray[np.bool_]]) -> Records:
        texts = []
        for row, text in enumerate(self.records.X.tolist()):
            words = str(text).split()
            kept = zip(words, dropped(row, len(words)), strict=True)
            texts.append(" ".join(word for word, out in kept if not out))
        return self._with(np.array(texts, dtype=object))


def neighbors(records: Records) -> Neighbors:
    """What lies around these records.

    Raises:
      NotApplicableError: They have no columns, or hold what cannot be changed a little.
    """
    from keepmum.attacks.membership._table import Images, Table

    X = records.X
    if hasattr(X, "tocsr"):
        return Sparse(records)
    if not isinstance(X, np.ndarray):
        if not column_names(X):
            raise NotApplicableError("needs records with columns, got none")
        return Table(records)
    if X.ndim == 1 and X.dtype.kind in "OUT":
        return Texts(records)
    if X.ndim >= 2 and X[:1].size:
        return Images(records) if X.ndim in (3, 4) and X.dtype.kind in "fiu" else Table(records)
    raise NotApplicableError(f"needs records with columns that can be changed, got an array of shape {X.shape}")
