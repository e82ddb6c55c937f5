"""Language models, as far as they can be reached.

    Target
    ├── TextTarget              text           generate
    │   └── TokenScoreTarget    token scores   score
    │       └── LogitTarget     full logits    next_log_probs
    │           └── GradientTextTarget   weights   gradient_norms
    └── FillTarget              fill-in        fill   (masked models)

Every answer is counted: a generated text, a scored text, a context whose next token is asked about, a filled text. What
a model says of its own words is only believed after a handshake (`keepmum.targets.handshake`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import BudgetError, ConfigError, TargetError
from keepmum.targets._base import Floats, Target


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn, as the deployed model draws it.

    Attributes:
      temperature: Logits are divided by this; 0 takes the likeliest token (greedy).
      top_k: Only so many of the likeliest tokens are drawn from, or None for all.
      top_p: Only the likeliest tokens that together have this probability.

    Raises:
      ConfigError: A value out of range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < np.inf or not 0 < self.top_p <= 1 or (self.top_k is not None and self.top_k < 1):
            raise ConfigError(
                "expected a temperature of 0 or more, top_p above 0 and up to 1, and top_k of at least 1, got "
                f"{self.temperature}, {self.top_p} and {self.top_k}"
            )


GREEDY = Sampling(0.0)
PLAIN = Sampling()


@dataclass(frozen=True, eq=False)
class Scored:
    """What a model says about the tokens of one text, each given all before it.

    A first token that nothing stands before, and that the model therefore cannot score, is left out.

    Attributes:
      tokens: ``(t,)`` tokens as text.
      starts: ``(t,)`` where each begins in the text, in characters; below 0 for a token that reaches into the prefix.
      log_probs: ``(t,)`` natural logarithms of their probabilities, in nats, at most 0.
      likeliest: ``(t,)`` whether no token was likelier, or None where that is not told.
      means: ``(t,)`` mean of the log-probability of the next token under the model's own distribution, in nats; None
        where the whole distribution is not told.
      spreads: ``(t,)`` its standard deviation, or None.
    """

    tokens: tuple[str, ...]
    starts: NDArray[np.intp]
    log_probs: Floats
    likeliest: NDArray[np.bool_] | None = None
    means: Floats | None = None
    spreads: Floats | None = None

    @property
    def total(self) -> float:
        """Log-probability of the whole text, in nats."""
        return float(self.log_probs.sum())


class _Counted:
    """Counts what it is asked about, and refuses what it may not be asked any more."""

    queries: int
    _most: int | None = None  # where `queries` ends

    def _count(self, texts: int) -> None:
        """Count texts before they are asked about.

        Raises:
          BudgetError: More than are left; nothing was asked then.
        """
        if self._most is not None and self.queries + texts > self._most:
            left = max(0, self._most - self.queries)
            raise BudgetError(
                f"asks about {texts:,} texts at once, and {left:,} of max_queries are left: raise it, or choose "
                "attacks that ask less"
            )
        self.queries += texts


@contextmanager
def at_most(target: _Counted, queries: int | None) -> Iterator[None]:
    """Let a target be asked so many more queries, and no more; None for any number."""
    before = target._most
    if queries is not None:
        target._most = target.queries + queries
    try:
        yield
    finally:
        target._most = before


class TextTarget(_Counted, Target):
    """Goes on with a text, and tells nothing else."""

    access: ClassVar[str] = "text"

    @final
    def generate(
        self, prompts: Sequence[str], tokens: int, *, samples: int = 1, sampling: Sampling = PLAIN, seed: int = 0
    ) -> list[list[str]]:
        """Continuations of each prompt, without the prompt: ``samples`` texts of at most ``tokens`` tokens each.

        The same seed gives the same texts where the model runs here; a served model may not promise that.

        Raises:
          TargetError: Not as many texts as were asked for.
        """
        if not len(prompts) or samples < 1:
            return [[] for _ in prompts]
        self._count(len(prompts) * samples)
        made = self._generate(list(prompts), tokens, samples, sampling, seed)
        if len(made) != len(prompts) or any(len(each) != samples for each in made):
            raise TargetError(f"expected {samples} continuations of each of {len(prompts)} prompts, got other numbers")
        return made

    @abstractmethod
    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]: ...


class TokenScoreTarget(TextTarget):
    """Tells how likely each token of a given text is.

    Attributes:
      context: Tokens that it can read at once, a beginning token included; None for any number, or where that is not
        known. Longer texts are refused, never cut.
      ceiling: No log-probability may be above this; a target that adds noise on purpose lifts it.
    """

    access: ClassVar[str] = "token scores"
    context: int | None = None
    ceiling: float = 1e-4

    @final
    def score(self, texts: Sequence[str], prefixes: Sequence[str] | None = None) -> list[Scored]:
        """What the model says about the tokens of each text, given what stands before it.

        Prefix and text are tokenized *together*, as the model reads them: a token that spans the boundary counts to
        the text. Scoring them apart hides leaks completely.

        Args:
          texts: What is scored.
          prefixes: What stands before each; nothing if None.

        Raises:
          TargetError: Not one answer a text, or scores that are no log-probabilities.
          DataError: A text longer than the model can read; it is never cut silently.
        """
        before = list(prefixes) if prefixes is not None else [""] * len(texts)
        if len(before) != len(texts):
            raise TargetError(f"expected one prefix a text, got {len(before)} prefixes and {len(texts)} texts")
        if not len(texts):
            return []
        self._count(len(texts))
        answer = self._score(list(texts), before)
        if len(answer) != len(texts):
            raise TargetError(f"expected scores of {len(texts)} texts, got {len(answer)}")
        for scored in answer:
            if not np.isfinite(scored.log_probs).all() or (scored.log_probs > self.ceiling).any():
                raise TargetError("expected finite log-probabilities of at most 0 for every token, got others")
        return answer

    @abstractmethod
    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]: ...


class LogitTarget(TokenScoreTarget):
    """Tells the whole distribution of the next token, in its own tokens."""

    access: ClassVar[str] = "full logits"

    @property
    @abstractmethod
    def size(self) -> int:
        """Tokens in the vocabulary, ``V``."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """A text as the model's tokens, without any that mark a beginning or an end."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""

    @final
    def next_log_probs(self, prefix: Sequence[int], continuations: Sequence[Sequence[int]]) -> Floats:
        """Log-probabilities of what comes after a prefix and each of some continuations, ``(n, V)`` in nats.

        All share the prefix, so that a model which keeps what it has read (a cache of keys and values) reads it once.
        A beginning token, where the model wants one, is put before the prefix.
        """
        if not len(continuations):
            return np.empty((0, self.size))
        self._count(len(continuations))
        answer = np.asarray(self._next_log_probs(list(prefix), [list(c) for c in continuations]), dtype=np.float64)
        if answer.shape != (len(continuations), self.size):
            raise TargetError(f"expected log-probabilities ({len(continuations)}, {self.size}), got {answer.shape}")
        return answer

    @abstractmethod
    def _next_log_probs(self, prefix: list[int], continuations: list[list[int]]) -> Floats: ...


class GradientTextTarget(LogitTarget):
    """A language model whose weights are at hand."""

    access: ClassVar[str] = "weights"

    @final
    def gradient_norms(self, texts: Sequence[str]) -> Floats:
        """Euclidean norm of the gradient of each text's mean loss with respect to the parameters, ``(n,)``.

        NaN for a text of which no token is scored: a single one that nothing stands before.
        """
        self._count(len(texts))
        return np.asarray(self._gradient_norms(list(texts)), dtype=np.float64) if len(texts) else np.empty(0)

    @abstractmethod
    def _gradient_norms(self, texts: list[str]) -> Floats: ...


class FillTarget(_Counted, Target):
    """A masked model: tells what stands in the place of each mask of a text.

    Attributes:
      mask: How a mask is written in a text.
    """

    access: ClassVar[str] = "fill-in"
    mask: str = "[MASK]"

    @property
    @abstractmethod
    def size(self) -> int:
        """Tokens in the vocabulary, ``V``."""

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """A text as the model's tokens, without any that mark a beginning or an end."""

    @abstractmethod
    def decode(self, tokens: Sequence[int]) -> str:
        """Tokens as text."""

    @final
    def fill(self, texts: Sequence[Sequence[int | None]]) -> list[Floats]:
        """Log-probabilities at each mask of texts given as tokens, None for a mask: ``(masks, V)`` in nats each."""
        if not len(texts):
            return []
        self._count(len(texts))
        answer = [np.asarray(each, dtype=np.float64) for each in self._fill([list(text) for text in texts])]
        wanted = [(sum(token is None for token in text), self.size) for text in texts]
        if [each.shape for each in answer] != wanted:
            raise TargetError(f"expected log-probabilities at each mask, over {self.size} tokens, got other shapes")
        return answer

    @abstractmethod
    def _fill(self, texts: list[list[int | None]]) -> list[Floats]: ...
