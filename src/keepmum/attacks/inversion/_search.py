"""Black-box search for what a class looks like: the cross-entropy method over numbers and kinds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._columns import Columns, Indices

BATCH, ELITE = 50, 10
"""Candidates that are asked about at once, and those of them that the next ones are drawn around."""
LEARNED = 0.7
"""Share of a new batch's mean and spread that comes from the elite; the rest stays."""
EXPLORED = 0.02
"""Probability that is spread over all kinds, so that none is given up."""
FLOOR = 1e-12
TIED = 1e-9


def margin(answers: Floats, place: int) -> Floats:
    """Log-probability of a class less that of the likeliest other, shape ``(m,)``; probabilities below 1e-12 are that.

    Unlike the probability, it has a slope also where the class is all but impossible, and where it is all but certain.
    """
    logs = np.log(np.maximum(answers, FLOOR))
    return np.asarray(logs[:, place] - np.delete(logs, place, axis=1).max(axis=1))


@dataclass(frozen=True, eq=False)
class Candidates:
    """Records in the space of columns.

    Attributes:
      numbers: ``(m, a)``.
      kinds: ``(m, b)``.
      scores: ``(m,)`` what the search climbs.
    """

    numbers: Floats
    kinds: Indices
    scores: Floats


def search(
    ask: Callable[[Floats, Indices], Floats],
    space: Columns,
    start: Floats | None,
    budget: int,
    rng: np.random.Generator,
) -> Candidates:
    """Draw candidates, keep the best, draw the next around these.

    Args:
      ask: Scores of candidates ``(m, a)`` and ``(m, b)``, shape ``(m,)``, higher = better.
      space: How records can look.
      start: ``(a,)`` numbers around which the first are drawn; None for a random place in the box.
      budget: Candidates that may be asked about.
      rng: Where candidates are drawn from.

    Returns:
      All candidates that were asked about.

    References:
      Rubinstein. The Cross-Entropy Method for Combinatorial and Continuous Optimization. Methodology and Computing in
      Applied Probability 1 (1999), 127–190.
    """
    center = rng.uniform(space.low, space.high) if start is None else np.clip(start, space.low, space.high)
    width = np.where(space.high > space.low, space.spread, 0.0) * (1.0 if start is None else 0.5)
    odds = [0.5 * kind.shares + 0.5 / len(kind.shares) for kind in space.kinds]
    rounds: list[tuple[Floats, Indices, Floats]] = []
    while budget > 0:
        m = min(BATCH, budget)
        budget -= m
        drawn = np.clip(center + width * rng.normal(size=(m, len(center))), space.low, space.high)
        chosen = np.column_stack([rng.choice(len(p), m, p=p) for p in odds] or [np.empty((m, 0), dtype=np.intp)])
        reached = ask(drawn, chosen)
        rounds.append((drawn, chosen, reached))
        best = np.argsort(-reached, kind="stable")[: max(1, min(ELITE, m // 2))]
        center = (1 - LEARNED) * center + LEARNED * drawn[best].mean(axis=0)
        width = (1 - LEARNED) * width + LEARNED * drawn[best].std(axis=0)
        odds = [
            (1 - EXPLORED)
            * ((1 - LEARNED) * p + LEARNED * np.bincount(chosen[best, place], minlength=len(p)) / len(best))
            + EXPLORED / len(p)
            for place, p in enumerate(odds)
        ]
    numbers, kinds, scores = zip(*rounds, strict=True)
    return Candidates(np.concatenate(numbers), np.concatenate(kinds), np.concatenate(scores))


def middle_of_best(found: Candidates, space: Columns) -> int:
    """The best candidate; of equally good ones, the one in their middle: a plateau has no summit."""
    best = np.flatnonzero(found.scores >= found.scores.max() - TIED)
    numbers, kinds = found.numbers[best], found.kinds[best]
    spread = np.where(space.spread > 0, space.spread, 1.0)
    off = (((numbers - numbers.mean(axis=0)) / spread) ** 2).sum(axis=1)
    for place, kind in enumerate(space.kinds):
        off += kinds[:, place] != np.bincount(kinds[:, place], minlength=len(kind.shares)).argmax()
    return int(best[off.argmin()])
