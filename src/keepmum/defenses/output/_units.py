"""Probabilities in whole units, with the likeliest class kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from keepmum.targets._base import Floats


def in_units(scores: Floats, units: int) -> NDArray[np.int64]:
    """Largest remainders: whole numbers that sum to ``units`` in each row, nearest to the shares.

    Every share is rounded down, and what is left is given to the largest remainders, of equal ones to the larger share,
    then to the earlier class. The likeliest class, of equal ones the first, has more than those before it and no less
    than those behind.
    """
    shares = np.asarray(scores, dtype=np.float64) * units
    # what is a whole number but for the last bits of a double counts as whole
    near = np.round(shares)
    shares = np.where(np.abs(shares - near) < 1e-9 * np.maximum(1.0, near), near, shares)
    whole = np.floor(shares).astype(np.int64)
    order = np.lexsort((-shares, -(shares - whole)), axis=1)
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.broadcast_to(np.arange(scores.shape[1]), scores.shape), axis=1)
    left = units - whole.sum(axis=1, keepdims=True)
    whole += place < left
    for row in np.flatnonzero(left[:, 0] < 0):  # a row that sums to a little more than 1
        whole[row, int(whole[row].argmax())] += int(left[row, 0])
    return keep_first(whole, np.asarray(scores.argmax(axis=1)))


def keep_first(whole: NDArray[np.int64], top: NDArray[np.intp]) -> NDArray[np.int64]:
    """Move units until the class that was likeliest is what ``argmax`` finds, and the rows' sums stay."""
    rows = np.arange(len(whole))
    wrong = rows[whole.argmax(axis=1) != top]
    while len(wrong):
        first = whole[wrong].argmax(axis=1)
        gap = whole[wrong, first] - whole[wrong, top[wrong]]
        step = np.maximum(1, (gap + 1) // 2)
        whole[wrong, first] -= step
        whole[wrong, top[wrong]] += step
        wrong = wrong[whole[wrong].argmax(axis=1) != top[wrong]]
    return whole


def first_kept(values: Floats, top: NDArray[np.intp]) -> Floats:
    """Rows of probabilities in which the class that was likeliest takes the place of the one that is.

    Where another class has the largest value, the two change places; an equal value before it gives way by as little as
    a double can.
    """
    told = values.copy()
    rows = np.arange(len(told))
    now = told.argmax(axis=1)
    wrong = rows[now != top]
    told[wrong, now[wrong]], told[wrong, top[wrong]] = told[wrong, top[wrong]], told[wrong, now[wrong]]
    wrong = rows[told.argmax(axis=1) != top]
    told[wrong, top[wrong]] = np.nextafter(told[wrong].max(axis=1), 2.0)
    return told
