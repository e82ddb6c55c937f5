"""Membership inference for documents from what a model writes, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._query import QueryAttack
from keepmum.attacks.membership.text._base import TextMembershipAttack
from keepmum.attacks.membership.text._windows import SPARE, context_of
from keepmum.errors import ConfigError
from keepmum.targets.text import LogitTarget, TextTarget


@dataclass(frozen=True)
class NgramCoverage(TextMembershipAttack[TextTarget], QueryAttack[TextTarget]):
    """N-gram coverage.

    The model is given the first half of a document and goes on with it several times. A document whose second half
    shares long pieces with what the model writes is called a member. No probabilities are needed.

    Of a first half too long for the context its end is given; a document without white space has none, and is passed
    over. The best continuation counts; continuations that are equally good are told apart by the mean over all of them.

    Attributes:
      samples: Continuations of each document.
      tokens: Most tokens of each continuation.
      length: Words in a row that have to agree.

    Raises:
      ConfigError: A number below 1.

    References:
      Hallinan et al. The Surprising Effectiveness of Membership Inference with Simple N-Gram Coverage. COLM 2025,
      arXiv:2508.09603. Kaneko, Ma, Wata, Okazaki. Sampling-based Pseudo-Likelihood for Membership Inference Attacks.
      2024, arXiv:2404.11262.
    """

    id: ClassVar[str] = "membership/ngram-coverage"
    needs: ClassVar[type[TextTarget]] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2508.09603", "arXiv:2404.11262")

    samples: int = 8
    tokens: int = 64
    length: int = 3

    def __post_init__(self) -> None:
        if min(self.samples, self.tokens, self.length) < 1:
            raise ConfigError(
                f"expected at least 1 sample, token and word, got {self.samples}, {self.tokens} and {self.length}"
            )

    @property
    def per_record(self) -> int:
        """The continuations."""
        return self.samples

    def rate(self, target: TextTarget, texts: list[str], ctx: Context) -> Scores:
        """Share of the second half's words that stand in a piece shared with the best continuation, 0 … 1."""
        tokens, room = self._room(target)
        halves = [halved(text) for text in texts]
        asked = [place for place, (first, rest) in enumerate(halves) if first and len(words(rest)) >= self.length]
        seed = int(ctx.rng.integers(2**31))
        prompts = [ending(target, halves[place][0], room) for place in asked]
        made = target.generate(prompts, tokens, samples=self.samples, seed=seed)
        scores = np.full(len(texts), np.nan)
        for place, continuations in zip(asked, made, strict=True):
            rest = words(halves[place][1])
            shares = [coverage(rest, words(text), self.length) for text in continuations]
            scores[place] = max(shares) + float(np.mean(shares)) / (2 * len(rest))
        return scores

    def _room(self, target: TextTarget) -> tuple[int, int | None]:
        """Tokens of a continuation, at most half of the context, and tokens that are left for the prompt."""
        limit = context_of(target)
        if limit is None:
            return self.tokens, None
        tokens = max(1, min(self.tokens, (limit - SPARE) // 2))
        return tokens, limit - SPARE - tokens


def ending(target: TextTarget, prompt: str, room: int | None) -> str:
    """As much of the end of a prompt as the model can read before it goes on, from white space on where there is some.

    What stands right before the second half tells most about it.
    """
    if room is None or not isinstance(target, LogitTarget):
        return prompt
    parts = re.split(r"(?=(?<!\s)\s)", prompt)
    first = len(parts)
    left = room
    while first and (left := left - len(target.encode(parts[first - 1]))) >= 0:
        first -= 1
    prompt = "".join(parts[min(first, len(parts) - 1) :])
    while len(target.encode(prompt)) > room:
        prompt = prompt[(len(prompt) + 1) // 2 :]
    return prompt


def halved(text: str) -> tuple[str, str]:
    """A text cut before the white space left of its middle; without one, all of it is the second half."""
    gaps = [found.start() for found in re.finditer(r"\s+", text[: len(text) // 2 + 1]) if found.start()]
    cut = gaps[-1] if gaps else 0
    return text[:cut], text[cut:]


def words(text: str) -> list[str]:
    """Words in small letters, without what stands between them."""
    return re.findall(r"\w+", text.lower())


def coverage(wanted: Sequence[str], given: Sequence[str], length: int) -> float:
    """Share of the wanted words that lie within ``length`` words in a row that are also given, 0 … 1."""
    known = {tuple(given[i : i + length]) for i in range(len(given) - length + 1)}
    covered = np.zeros(len(wanted), dtype=bool)
    for i in range(len(wanted) - length + 1):
        if tuple(wanted[i : i + length]) in known:
            covered[i : i + length] = True
    return float(covered.mean()) if len(wanted) else 0.0
