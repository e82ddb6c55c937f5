"""Language models that remember what they said of a text, so that a second attack costs no second query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keepmum.targets._base import Floats
from keepmum.targets.text import GradientTextTarget, LogitTarget, Sampling, Scored, TextTarget, TokenScoreTarget


class _Passing(TextTarget):
    """Passes on what it is asked; `queries` counts what is asked of it, not what it has to pass on."""

    inner: Any

    def __init__(self, inner: TextTarget) -> None:
        super().__init__()
        self.inner, self.notes = inner, inner.notes

    @property
    def internals(self) -> Any:
        return self.inner.internals

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        made: list[list[str]] = self.inner.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)
        return made


class RememberedTokens(_Passing, TokenScoreTarget):
    """`TokenScoreTarget` with a memory of the texts that it scored."""

    def __init__(self, inner: TokenScoreTarget) -> None:
        super().__init__(inner)
        self.context = inner.context
        self._known: dict[tuple[str, str], Scored] = {}

    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]:
        asked = list(zip(prefixes, texts, strict=True))
        fresh = [pair for pair in dict.fromkeys(asked) if pair not in self._known]
        if fresh:
            answers = self.inner.score([text for _, text in fresh], [prefix for prefix, _ in fresh])
            self._known.update(zip(fresh, answers, strict=True))
        return [self._known[pair] for pair in asked]


class RememberedLogits(RememberedTokens, LogitTarget):
    """`LogitTarget` with a memory of the texts that it scored; distributions are too large to keep."""

    @property
    def size(self) -> int:
        return int(self.inner.size)

    def encode(self, text: str) -> list[int]:
        return list(self.inner.encode(text))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self.inner.decode(tokens))

    def _next_log_probs(self, prefix: list[int], continuations: list[list[int]]) -> Floats:
        answer: Floats = self.inner.next_log_probs(prefix, continuations)
        return answer


class RememberedWeights(RememberedLogits, GradientTextTarget):
    """`GradientTextTarget` with a memory of the texts that it scored."""

    def _gradient_norms(self, texts: list[str]) -> Floats:
        norms: Floats = self.inner.gradient_norms(texts)
        return norms


def remembered_text(target: TextTarget) -> TextTarget:
    """The same model behind a memory; one that only generates is returned as it is."""
    if isinstance(target, GradientTextTarget):
        return RememberedWeights(target)
    if isinstance(target, LogitTarget):
        return RememberedLogits(target)
    return RememberedTokens(target) if isinstance(target, TokenScoreTarget) else target
