"""A language model that tells scores of whole texts only, with noise or rounded: a defense that averaging undoes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keepmum.errors import ConfigError
from keepmum.targets._base import Floats
from keepmum.targets._tree import Grown
from keepmum.targets.text import LogitTarget, Sampling, Scored, TokenScoreTarget


class NoisyScores(TokenScoreTarget):
    """Another target whose scores are the log-probability of the whole text, plus noise, rounded.

    The whole text comes back as if it were one token. Noise is Gaussian and drawn anew for each question, unless it is
    memoized: then the same question always gets the same answer.

    Args:
      inner: Who is asked.
      sd: Standard deviation of the noise, in nats.
      decimals: Decimals that are kept after the noise, or None for all; -1 rounds to tens.
      seed: Seed of the noise.
      memoized: Whether the same question always gets the same noise.

    Raises:
      ConfigError: A negative standard deviation.
    """

    ceiling = np.inf  # a score with noise may well be above 0

    def __init__(
        self, inner: TokenScoreTarget, sd: float, decimals: int | None = None, seed: int = 0, memoized: bool = False
    ) -> None:
        super().__init__()
        if not 0 <= sd < np.inf:
            raise ConfigError(f"expected a standard deviation of 0 or more, got {sd}")
        self.inner, self.sd, self.decimals, self.seed, self.memoized = inner, sd, decimals, seed, memoized
        self.notes = [*inner.notes, f"scores carry noise of {sd:g} nats" if sd else "scores carry no noise"]
        self._rng = np.random.default_rng([seed, 0x6E6F6973])
        self._grown = Grown()
        self._last: tuple[tuple[str, ...], tuple[str, ...], Floats] | None = None

    @property
    def internals(self) -> Any:
        """Nothing: only scores with noise are told."""
        return None

    @property
    def walks(self) -> bool:
        """Whether scores of many texts after one prefix are cheap to simulate: the model behind tells all logits."""
        return isinstance(self.inner, LogitTarget)

    def mean_scores(self, texts: Sequence[str], prefixes: Sequence[str], times: int) -> Floats:
        """Mean of what ``times`` questions about each text would be answered, ``(n,)`` nats; so many are counted.

        The answers of one text differ by their noise alone, so the sum of it is drawn at once: a shortcut of the
        simulation with exactly the distribution of asking. Where answers are rounded each is drawn by itself, since
        rounded noise is not Gaussian.
        """
        self._count(times * len(texts))
        truth = self._truth(texts, prefixes)
        if not self.sd or self.memoized:
            return self._told(truth, texts, prefixes)
        if self.decimals is None:
            return np.asarray(truth + self._rng.normal(0, self.sd / np.sqrt(times), len(truth)))
        total = np.zeros(len(truth))
        for _ in range(times):
            total += self._told(truth, texts, prefixes)
        return total / times

    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]:
        told = self._told(self._truth(texts, prefixes), texts, prefixes)
        return [
            Scored((t,), np.zeros(1, dtype=np.intp), np.array([value])) for t, value in zip(texts, told, strict=True)
        ]

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        return self.inner.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)

    def _truth(self, texts: Sequence[str], prefixes: Sequence[str]) -> Floats:
        """What the model really says; many texts after one prefix by their common beginnings.

        The last answer is kept, since whoever averages asks the same again.
        """
        key = (tuple(texts), tuple(prefixes))
        if self._last is not None and self._last[:2] == key:
            return self._last[2]
        if isinstance(self.inner, LogitTarget) and len(texts) > 1 and len(set(prefixes)) == 1:
            truth = self._grown.scores(self.inner, prefixes[0], list(texts))
        else:
            truth = np.array([scored.total for scored in self.inner.score(texts, prefixes)])
        self._last = (*key, truth)
        return truth

    def _told(self, truth: Floats, texts: Sequence[str], prefixes: Sequence[str]) -> Floats:
        noise = self._memory(texts, prefixes) if self.memoized else self._rng.normal(0, 1, len(truth))
        told = truth + self.sd * noise
        return np.asarray(told if self.decimals is None else np.round(told, self.decimals))

    def _memory(self, texts: Sequence[str], prefixes: Sequence[str]) -> Floats:
        """The same noise for the same text after the same prefix."""
        keys = [f"{self.seed}\0{prefix}\0{text}".encode() for text, prefix in zip(texts, prefixes, strict=True)]
        seeds = [int.from_bytes(hashlib.sha256(key).digest()[:8], "big") for key in keys]
        return np.array([np.random.default_rng(seed).normal() for seed in seeds])
