"""Who trains on whom: pairs of shadow models that divide the records between them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def balanced_pairs(records: int, pairs: int, seed: int) -> Iterator[tuple[NDArray[np.bool_], tuple[int, int]]]:
    """For each pair, ``(2, records)`` who is trained on whom, and the two seeds.

    The second model of a pair is trained on exactly those records that the first is not, so that every record is in
    half of all models. A pair depends on its number and the seed alone: more pairs leave the first ones as they are.
    """
    for number in range(pairs):
        rng = np.random.default_rng([seed, 0x70616972, number])
        first = np.zeros(records, dtype=bool)
        first[rng.permutation(records)[: records // 2]] = True
        seeds = rng.integers(2**31, size=2)
        yield np.stack([first, ~first]), (int(seeds[0]), int(seeds[1]))
