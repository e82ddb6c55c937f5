"""Documents that share passages, across the split or on one side of it.

A non-member that quotes a member at length was, to that extent, trained on. Two documents are linked where one of them
shares more than a bound of its n-grams with the other. Linked documents on both sides leave both; of linked documents
on one side one stays, as of copies of a record (`keepmum.overlap`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WORDS = 13
"""Words in a row that count as a passage."""
CHARACTERS = 50
"""Characters in a row that do, in writing without spaces."""
BOUND = 0.2
"""Share of a document's passages above which it is not a document of its own."""
LONG_WORD = 20
"""Writing with fewer spaces than one in so many characters is taken as having none."""


def passages(text: str) -> set[int]:
    """Keys of all passages of a document: words in a row, small and without what stands between them.

    A document shorter than a passage is one passage. Where there are no spaces to speak of, characters in a row count.
    """
    plain = text.casefold()
    units: Sequence[str] = re.findall(r"\w+", plain)
    length = WORDS
    if len(units) * LONG_WORD < len(plain):
        units, length = re.sub(r"\s+", "", plain), CHARACTERS
    if not units:
        return {_key(plain)}
    return {_key(" ".join(units[i : i + length])) for i in range(max(1, len(units) - length + 1))}


def _key(text: str) -> int:
    """A key of 64 bits that is the same on every machine and in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def linked(keys: Sequence[set[int]], bound: float = BOUND) -> NDArray[np.intp]:
    """Which documents belong together, ``(n,)``: equal numbers for those that are linked, directly or by others.

    Args:
      keys: Passages of each document.
      bound: Share of the passages of the shorter of two documents above which they are linked.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    matrix, sizes = _matrix(keys), np.array([len(own) for own in keys])
    shared = (matrix @ matrix.T).tocoo()
    much = shared.data > bound * np.minimum(sizes[shared.row], sizes[shared.col])
    pairs = (np.ones(int(much.sum()), dtype=np.int8), (shared.row[much], shared.col[much]))
    graph = sparse.coo_array(pairs, shape=(len(keys), len(keys))).tocsr()
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.intp)


def _matrix(keys: Sequence[set[int]]) -> Any:
    """Documents by passages that stand in at least two of them, sparse, 1 where a document has one."""
    from scipy import sparse

    every = np.array([key for own in keys for key in own], dtype=np.uint64)
    owner = np.repeat(np.arange(len(keys)), [len(own) for own in keys])
    _, place, times = np.unique(every, return_inverse=True, return_counts=True)
    common = times[place] > 1
    columns = np.unique(place[common], return_inverse=True)[1]
    shape = (len(keys), int(columns.max(initial=-1)) + 1)
    return sparse.csr_array((np.ones(int(common.sum()), dtype=np.int32), (owner[common], columns)), shape=shape)


def sharing(
    members: Sequence[str], nonmembers: Sequence[str], bound: float = BOUND
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.intp]]:
    """Documents that are linked to one on the other side, and which belong together.

    A document also counts that shares more than the bound with the other side as a whole, a little with each of many.

    Returns:
      ``(m,)`` and ``(n,)`` masks, and ``(m + n,)`` groups of linked documents.
    """
    mine, theirs = ([passages(text) for text in side] for side in (members, nonmembers))
    group = linked([*mine, *theirs], bound)
    both = np.intersect1d(group[: len(mine)], group[len(mine) :])
    masks = []
    for own, other, groups in ((mine, theirs, group[: len(mine)]), (theirs, mine, group[len(mine) :])):
        known = set().union(*other)
        much = np.array([len(keys & known) > bound * len(keys) for keys in own], dtype=bool)
        masks.append(np.isin(groups, both) | much)
    return masks[0], masks[1], group
