"""Averaging attack: noise on scores is asked away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.extraction._base import Climb, ExtractionAttack, Seen
from keepmum.attacks.extraction._candidates import bits, candidates, is_first, standing
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets._tree import Grown
from keepmum.targets.noisy_text import NoisyScores
from keepmum.targets.text import LogitTarget, TokenScoreTarget
from keepmum.texts import Secret

Floats = NDArray[np.float64]
TRIALS = 4
"""Questions that are asked twice to see whether the answers differ."""
NOISE = 0.01
"""Nats by which answers must differ to count as noisy: less comes from the order in which machines add."""


@dataclass(frozen=True)
class Averaging(ExtractionAttack[TokenScoreTarget]):
    """Averaging attack.

    The model's owner adds noise to every score, or rounds it. The attacker asks about each candidate again and again
    and takes the mean: noise that is drawn anew goes down with the square root of the number of questions. Whether it
    is, they see from a question asked twice. Candidates are all secrets of a kind where these are few enough and can be
    asked about together, or decoys.

    Attributes:
      times: How often each candidate is asked about, ascending; each number is measured.
      most: Most candidates for each secret.
      decoys: Candidates beside the secret where not all of a kind are asked about.
      patience: Most questions in all, where each must really be asked.

    References:
      Dinur, Nissim. Revealing Information while Preserving Privacy. PODS 2003, doi:10.1145/773153.773173, on answers
      whose noise is too small for the questions allowed; exposure: Carlini et al. The Secret Sharer. USENIX Security
      2019, arXiv:1802.08232.
    """

    id: ClassVar[str] = "extraction/averaging"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/773153.773173", "arXiv:1802.08232")

    times: tuple[int, ...] = (1, 10, 100, 1000)
    most: int = 10_000
    decoys: int = 63
    patience: int = 100_000

    def __post_init__(self) -> None:
        ascending = bool(self.times) and min(self.times) >= 1 and list(self.times) == sorted(set(self.times))
        if not ascending or min(self.most, self.decoys) < 1:
            raise ConfigError(
                "expected ascending times of at least 1 and at least one other candidate, got "
                f"{self.times}, {self.most} and {self.decoys}"
            )

    def extract(self, target: TokenScoreTarget, secrets: Sequence[Secret], ctx: Context) -> Seen:
        """Exposure of each secret after each number of questions.

        Raises:
          NotApplicableError: Too few queries are left to ask about each candidate once.
        """
        fresh = answers_differ(target, secrets)
        together = isinstance(target, LogitTarget) or (isinstance(target, NoisyScores) and target.walks)
        options, mine = self._options(secrets, ctx, together)
        times = self._times(target, fresh, sum(len(texts) for texts in options), ctx.queries_left)
        grown = Grown()
        exposed, out = np.empty((len(secrets), len(times))), np.empty(len(secrets), dtype=bool)
        scores = np.empty(len(secrets))
        for i, (secret, texts) in enumerate(zip(secrets, options, strict=True)):
            if isinstance(target, LogitTarget) and not fresh:
                means = [grown.scores(target, secret.prefix, texts, mine[i])] * len(times)
            else:
                means = _means(target, secret, texts, times)
            exposed[i] = [bits(mean, mine[i]) for mean in means]
            scores[i], out[i] = standing(means[-1], mine[i]), is_first(means[-1], mine[i])
        cap = float(np.log2(max(len(texts) for texts in options)))
        efforts = np.array(times, dtype=np.float64)
        return Seen(
            scores=scores,
            extracted=out,
            evidence=tuple(s.secret if hit else "" for s, hit in zip(secrets, out, strict=True)),
            metrics={f"exposure_{t}": values for t, values in zip(times, exposed.T, strict=True)},
            climbs=(Climb("exposure", "queries a candidate", efforts, exposed, cap),),
            chance=np.array([1 / len(texts) for texts in options]),
            remark=_words(fresh, times),
        )

    def _options(self, secrets: Sequence[Secret], ctx: Context, together: bool) -> tuple[list[list[str]], list[int]]:
        """For each secret all of its kind, or itself and decoys where these are too many; and which of them it is."""
        alphabets = {} if ctx.secrets is None or not together else ctx.secrets.alphabets
        small = {k: a for k, a in alphabets.items() if prod(len(place) for place in a) <= self.most}
        every = {kind: list(map("".join, product(*alphabet))) for kind, alphabet in small.items()}
        places = {kind: {text: i for i, text in enumerate(texts)} for kind, texts in every.items()}
        made, mine = candidates(secrets, ctx, min(self.most, self.decoys)), [0] * len(secrets)
        for i, secret in enumerate(secrets):
            if secret.secret in places.get(secret.kind, ()):
                made[i], mine[i] = every[secret.kind], places[secret.kind][secret.secret]
        return made, mine

    def _times(self, target: TokenScoreTarget, fresh: bool, asked: int, left: int | None) -> list[int]:
        """Numbers of questions that can be paid; the first alone where asking again tells nothing more."""
        spare = np.inf if left is None else left - 2 * TRIALS
        times = [t for t in (self.times if fresh else self.times[:1]) if t * asked <= spare]
        if not times:
            raise NotApplicableError(f"needs {asked + 2 * TRIALS:,} queries, {left:,} may be spent")
        return (
            times if isinstance(target, NoisyScores) else [t for t in times if t * asked <= self.patience] or times[:1]
        )


def answers_differ(target: TokenScoreTarget, secrets: Sequence[Secret]) -> bool:
    """Whether the same question gets another answer the second time: noise that is drawn anew and not memoized."""
    some = secrets[:TRIALS]
    first, second = (target.score([s.secret for s in some], [s.prefix for s in some]) for _ in range(2))
    return any(abs(a.total - b.total) > NOISE for a, b in zip(first, second, strict=True))


def _means(target: TokenScoreTarget, secret: Secret, texts: Sequence[str], times: Sequence[int]) -> list[Floats]:
    """Mean score of each candidate after so many questions; every question goes on counting."""
    total, asked, means = np.zeros(len(texts)), 0, []
    prefixes = [secret.prefix] * len(texts)
    for until in times:
        more = until - asked
        if isinstance(target, NoisyScores):
            total += more * target.mean_scores(texts, prefixes, more)
        else:
            for _ in range(more):
                total += np.array([scored.total for scored in target.score(texts, prefixes)])
        asked = until
        means.append(total / until)
    return means


def _words(fresh: bool, times: Sequence[int]) -> str:
    if fresh:
        return (
            "The noise is not memoized: the same question gets another answer. Each candidate was asked about up to "
            f"{times[-1]:,} times."
        )
    return "The same question gets the same answer: there is no noise, or it is memoized, and asking again is vain."
