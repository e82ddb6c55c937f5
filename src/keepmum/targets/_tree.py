"""Many texts that begin alike, scored with each beginning asked about once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from keepmum.targets.text import LogitTarget

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Encode = Callable[[str], list[int]]

HELD = 2**22
"""Log-probabilities held at once at most: 32 MiB."""
SPREAD = 16
"""Texts, beside one for each first token, that are tried before another prefix is taken to change no token."""


@dataclass(frozen=True, eq=False)
class Level:
    """One step down the tree.

    Attributes:
      beginnings: Tokens so far, each that goes on once.
      texts: ``(m,)`` places of the texts that go on.
      rows: ``(m,)`` the beginning of each.
      tokens: ``(m,)`` what it goes on with.
    """

    beginnings: tuple[tuple[int, ...], ...]
    texts: Indices
    rows: Indices
    tokens: Indices


@dataclass(frozen=True, eq=False)
class Tree:
    """Texts as tokens, by what they have in common.

    Ten thousand numbers of four digits have 1,111 beginnings, where digits are tokens. Where they are not, the tree has
    another shape and says the same: a text's log-probability is the sum over its own tokens, as the tokenizer cuts it.

    Attributes:
      tails: Tokens of each text, from the first on that is not the prefix's alone.
      back: How many of the prefix's last tokens are cut otherwise when a text follows, and belong to the tails.
      levels: The tree, from its root.
    """

    tails: tuple[tuple[int, ...], ...]
    back: int
    levels: tuple[Level, ...]

    @property
    def asks(self) -> int:
        """Beginnings that a model is asked about."""
        return sum(len(level.beginnings) for level in self.levels)

    def log_probs(self, target: LogitTarget, prefix: str) -> Floats:
        """Log-probability of each text after the prefix, in nats, ``(n,)``."""
        before = target.encode(prefix)
        before = before[: len(before) - self.back]
        totals = np.zeros(len(self.tails))
        step = max(1, HELD // target.size)
        for level in self.levels:
            for at in range(0, len(level.beginnings), step):
                logs = target.next_log_probs(before, level.beginnings[at : at + step])
                mine = (level.rows >= at) & (level.rows < at + step)
                totals[level.texts[mine]] += logs[level.rows[mine] - at, level.tokens[mine]]
        return totals

    def suits(self, encode: Encode, prefix: str, texts: Sequence[str], also: int) -> bool:
        """Whether texts are cut alike after this prefix: tried on one for each first token, some more, and ``also``."""
        before = encode(prefix)
        before = before[: len(before) - self.back]
        firsts = {tail[0]: place for place, tail in enumerate(self.tails)}
        tried = {*firsts.values(), *range(0, len(texts), max(1, len(texts) // SPREAD)), also}
        return all(encode(prefix + texts[place]) == [*before, *self.tails[place]] for place in tried)


def grow(encode: Encode, prefix: str, texts: Sequence[str]) -> Tree:
    """The tree of texts after a prefix: each is tokenized together with it.

    A token that spans the boundary belongs to the text, as in `keepmum.targets.text.TokenScoreTarget.score`.
    """
    before = encode(prefix)
    whole = [encode(prefix + text) for text in texts]
    shared = min(_alike(before, ids) for ids in whole)
    tails = tuple(tuple(ids[shared:]) for ids in whole)
    return Tree(tails, len(before) - shared, tuple(_levels(tails)))


@dataclass(eq=False)
class Grown:
    """The tree that was grown last, for who asks about the same texts after one prefix after another."""

    tree: Tree | None = None
    texts: Sequence[str] = ()

    def scores(self, target: LogitTarget, prefix: str, texts: Sequence[str], also: int = 0) -> Floats:
        """Log-probability of each text after a prefix, as `TokenScoreTarget.score` tells it, ``(n,)`` nats.

        A tree grows anew for other texts, or where another prefix makes the tokenizer cut them otherwise: some are
        tried, ``also`` among them.
        """
        if not len(texts):
            return np.empty(0)
        if self.tree is None or self.texts != texts or not self.tree.suits(target.encode, prefix, texts, also):
            self.tree, self.texts = grow(target.encode, prefix, texts), texts
        return self.tree.log_probs(target, prefix)


def _alike(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two texts begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False)))


def _levels(tails: Sequence[tuple[int, ...]]) -> list[Level]:
    levels = []
    for depth in range(max(map(len, tails))):
        places = [place for place, tail in enumerate(tails) if len(tail) > depth]
        rows: dict[tuple[int, ...], int] = {}
        row = [rows.setdefault(tails[place][:depth], len(rows)) for place in places]
        tokens = [tails[place][depth] for place in places]
        levels.append(Level(tuple(rows), *(np.array(each, dtype=np.intp) for each in (places, row, tokens))))
    return levels
