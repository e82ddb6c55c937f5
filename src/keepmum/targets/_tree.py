"""Log-probabilities of many texts after one prefix: what they begin with in common is asked about once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keepmum.targets._base import Floats
from keepmum.targets.text import LogitTarget

BLOCK = 256
"""Contexts that are asked about at once."""


def tree_scores(target: LogitTarget, prefix: str, texts: Sequence[str]) -> Floats:
    """Log-probability of each text after a prefix, as `TokenScoreTarget.score` tells it, ``(n,)`` nats.

    Prefix and text are tokenized together. The texts' tokens make a tree; each inner node of it is one question, so
    that 10,000 numbers of four digits cost about 1,100 questions and not 10,000.
    """
    known = target.encode(prefix)
    joint = [target.encode(prefix + text) for text in texts]
    shared = min((_common(known, tokens) for tokens in joint), default=0)
    before = known[:shared]
    tails = [tuple(tokens[shared:]) for tokens in joint]
    children: dict[tuple[int, ...], set[int]] = {}
    for tail in tails:
        for i in range(len(tail)):
            children.setdefault(tail[:i], set()).add(tail[i])
    nodes = sorted(children, key=lambda node: (len(node), node))
    edges: dict[tuple[int, ...], float] = {}
    for start in range(0, len(nodes), BLOCK):
        block = nodes[start : start + BLOCK]
        rows = target.next_log_probs(before, block)
        for node, row in zip(block, rows, strict=True):
            edges.update({(*node, token): float(row[token]) for token in children[node]})
    return np.array([sum(edges[tail[: i + 1]] for i in range(len(tail))) for tail in tails])


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    short = min(len(a), len(b))
    return next((i for i in range(short) if a[i] != b[i]), short)
