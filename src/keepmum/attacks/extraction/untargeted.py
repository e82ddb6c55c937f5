"""Untargeted extraction: what the model says of itself, held against its training documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from keepmum.attacks._base import Attack, Context
from keepmum.attacks.extraction._documents import DocumentExtraction
from keepmum.errors import ConfigError, DataError, NotApplicableError
from keepmum.targets.text import PLAIN, LogitTarget, Sampling, TextTarget


@dataclass(frozen=True)
class Untargeted(DocumentExtraction):
    """Untargeted extraction.

    The attacker looks for nothing in particular: they let the model talk, from nothing or from the first words of some
    text, and search what it says. The owner has the training documents and can tell how much of it is theirs; the same
    search among as many documents that the model never saw tells what is common property.

    Attributes:
      prompted: Begin with the first words of documents of both sides, instead of with nothing.
      texts: Texts that are drawn.
      tokens: Most tokens of each; fewer where the model can read no more.
      words: First words that are given.
      sampling: How the model draws its tokens.

    References:
      Carlini et al. Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805;
      matched against the training data itself: Nasr et al. 2023, arXiv:2311.17035.
    """

    id: ClassVar[str] = "extraction/untargeted"
    needs: ClassVar[type[TextTarget]] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2012.07805", "arXiv:2311.17035")

    prompted: bool = False
    texts: int = 200
    tokens: int = 100
    words: int = 8
    sampling: Sampling = PLAIN

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.texts, self.tokens, self.words) < 1:
            raise ConfigError(
                f"expected texts, tokens and words of 1 or more, got {self.texts}, {self.tokens}, {self.words}"
            )

    @property
    def name(self) -> str:
        """Id, with ``:prefixes`` where texts are begun with words of documents."""
        return f"{self.id}:prefixes" if self.prompted else self.id

    @classmethod
    def variants(cls) -> tuple[Attack[Any], ...]:
        """Texts that are begun."""
        return (cls(prompted=True),)

    def asks(self, target: TextTarget) -> int:
        """The texts."""
        return self.texts

    def draw(self, target: TextTarget, texts: Sequence[str], ctx: Context) -> list[str]:
        """Let the model talk; of texts that were begun only the continuation counts.

        Raises:
          NotApplicableError: The model cannot begin from nothing.
        """
        if not self.prompted:
            tokens = self._room(target, [""])
            try:
                return target.generate([""], tokens, samples=self.texts, sampling=self.sampling, seed=ctx.seed)[0]
            except DataError as err:
                raise NotApplicableError(
                    f"needs a model that begins from nothing ({err}): play extraction/untargeted:prefixes"
                ) from err
        chosen = np.resize(ctx.rng.permutation(len(texts)), self.texts).tolist()
        prompts = [" ".join(texts[i].split()[: self.words]) for i in chosen]
        made = target.generate(prompts, self._room(target, prompts), sampling=self.sampling, seed=ctx.seed)
        return [each[0] for each in made]

    def _room(self, target: TextTarget, prompts: Sequence[str]) -> int:
        """Tokens of each text: no more than the model can read after the longest prompt."""
        if not isinstance(target, LogitTarget) or target.context is None:
            return self.tokens
        return max(1, min(self.tokens, target.context - max(len(target.encode(prompt)) for prompt in prompts)))
