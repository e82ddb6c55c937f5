"""Where texts share windows of so many characters: hashed, then compared letter by letter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WIDTH = 50
_BASE = 0x9E3779B97F4A7C15 | 1
_INVERSE = pow(_BASE, -1, 1 << 64)
Hashes = NDArray[np.uint64]


def plain(text: str) -> str:
    """A text with every stretch of white space as one blank: lines are broken differently by everyone."""
    return " ".join(text.split())


def window_hashes(text: str, width: int) -> Hashes:
    """A 64-bit hash of each window of ``width`` characters, ``(len(text) - width + 1,)``.

    Polynomials modulo 2^64 from one running sum: as fast as the text is read, whatever the width. Equal windows have
    equal hashes; unequal ones may have, and are to be compared.

    References:
      Karp, Rabin. Efficient Randomized Pattern-Matching Algorithms. IBM Journal 31 (1987), 249–260.
    """
    count = len(text) - width + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    codes = (codes + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    codes ^= codes >> np.uint64(29)
    powers = np.cumprod(np.full(len(text), _BASE, dtype=np.uint64))
    undo = np.cumprod(np.full(count, _INVERSE, dtype=np.uint64))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(codes * powers)])
    return np.asarray((sums[width:] - sums[:-width]) * undo)


@dataclass(frozen=True, eq=False)
class Hits:
    """Windows that one text shares with those of an index.

    Attributes:
      here: ``(h,)`` where each begins in the text.
      text: ``(h,)`` which text of the index has it.
      there: ``(h,)`` where it begins first in that.
    """

    here: NDArray[np.intp]
    text: NDArray[np.intp]
    there: NDArray[np.intp]


class Shingles:
    """All windows of some texts.

    Args:
      texts: The texts; about 25 bytes are kept for each of their characters.
      width: Characters of a window.
    """

    def __init__(self, texts: Sequence[str], width: int = WIDTH) -> None:
        self.texts, self.width = list(texts), width
        parts = [window_hashes(text, width) for text in self.texts]
        hashes = np.concatenate([np.empty(0, dtype=np.uint64), *parts])
        owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        start = np.concatenate([np.empty(0, dtype=np.intp), *(np.arange(len(part)) for part in parts)])
        order = np.lexsort((start, owner, hashes))
        hashes, owner, start = hashes[order], owner[order], start[order]
        # A window that a text repeats is kept once, or a text of one letter would match another in every way.
        first = np.ones(len(hashes), dtype=bool)
        first[1:] = (hashes[1:] != hashes[:-1]) | (owner[1:] != owner[:-1])
        self._hashes, self._owner, self._start = hashes[first], owner[first], start[first]

    def hits(self, text: str) -> Hits:
        """Windows that a text shares with the index, each compared letter by letter."""
        wanted = window_hashes(text, self.width)
        left = np.searchsorted(self._hashes, wanted, side="left")
        counts = np.searchsorted(self._hashes, wanted, side="right") - left
        here = np.repeat(np.arange(len(wanted)), counts)
        place = np.repeat(left - np.cumsum(counts) + counts, counts) + np.arange(len(here))
        owner, there = self._owner[place], self._start[place]
        same = np.array(
            [
                text[i : i + self.width] == self.texts[o][j : j + self.width]
                for i, o, j in zip(here.tolist(), owner.tolist(), there.tolist(), strict=True)
            ],
            dtype=bool,
        )
        return Hits(here[same], owner[same], there[same])


def longest(hits: Hits, width: int) -> tuple[int, int]:
    """Start and length of the longest piece that hits make up together, in characters; ``(0, 0)`` if there is none."""
    if not len(hits.here):
        return 0, 0
    diagonal = hits.there - hits.here
    order = np.lexsort((hits.here, diagonal, hits.text))
    here, diagonal, text = hits.here[order], diagonal[order], hits.text[order]
    breaks = (np.diff(here) != 1) | (np.diff(diagonal) != 0) | (np.diff(text) != 0)
    starts = np.concatenate([[0], np.flatnonzero(breaks) + 1])
    lengths = np.diff(np.concatenate([starts, [len(here)]]))
    best = int(np.argmax(lengths))
    return int(here[starts[best]]), int(lengths[best]) + width - 1
