"""Membership inference for documents by what unknown text before them changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TINY, TextMembershipAttack, each, texts_of
from keepmum.attacks.membership.text._windows import SPARE, context_of, pieces, read
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets.text import LogitTarget, Scored, TokenScoreTarget

BETWEEN = "\n"
"""What stands between the documents of the prefix, and before the one that is asked about."""


@dataclass(frozen=True)
class Recall(TextMembershipAttack[TokenScoreTarget]):
    """Relative conditional log-likelihood (ReCaLL).

    A model that knows a text is thrown off by strange text before it; one that does not know it is rather helped. The
    strange text is taken from documents that the model never saw: the population, or where none is given
    the other half of the non-members.

    Of a text too long for the context together with what stands before it, the first window is asked about.

    Attributes:
      shots: Documents that stand before the text, as many of them as fit into half of the context.

    Raises:
      ConfigError: Fewer than 1 document.

    References:
      Xie et al. ReCaLL: Membership Inference via Relative Conditional Log-Likelihoods. EMNLP 2024, arXiv:2406.15968.
    """

    id: ClassVar[str] = "membership/recall"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2406.15968",)
    uses_population: ClassVar[bool] = True

    shots: int = 4

    def __post_init__(self) -> None:
        if self.shots < 1:
            raise ConfigError(f"expected at least 1 document before the text, got {self.shots}")

    @property
    def per_record(self) -> int:
        """The text after other text."""
        return 1

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Loss of the text after other text, divided by its loss alone.

        Raises:
          NotApplicableError: There are no documents that the model never saw.
        """
        if ctx.population is None:
            raise NotApplicableError("needs documents that the model never saw: give a population")
        prefix = self._prefix(target, [text for text in texts_of(ctx.population) if text.strip()], ctx)
        asked = [pieces(target, text)[0][1] if len(pieces(target, text)) > 1 else text for text in texts]
        asked = [self._fitting(target, prefix, text) for text in asked]
        one, other = read(target, asked), read(target, asked, [prefix] * len(asked))
        alone = each(one, lambda scored: -scored.total)
        after = np.array([-of_same_tokens(b, a) for a, b in zip(one, other, strict=True)])
        return np.asarray(np.maximum(after, TINY) / np.maximum(alone, TINY))

    def _prefix(self, target: TokenScoreTarget, others: list[str], ctx: Context) -> str:
        if not others:
            raise NotApplicableError("needs documents that the model never saw: those of the population are empty")
        chosen = [others[place] for place in ctx.rng.permutation(len(others))[: self.shots].tolist()]
        limit = context_of(target)
        if limit is None or not isinstance(target, LogitTarget):
            return BETWEEN.join(chosen) + BETWEEN
        for count in range(len(chosen), 0, -1):
            prefix = BETWEEN.join(chosen[:count]) + BETWEEN
            if len(target.encode(prefix)) <= (limit - SPARE) // 2:
                return prefix
        return pieces(target, min(chosen, key=len))[0][1] + BETWEEN

    def _fitting(self, target: TokenScoreTarget, prefix: str, text: str) -> str:
        """The text, or its first half as often as it takes to fit after the prefix."""
        limit = context_of(target)
        if limit is None or not isinstance(target, LogitTarget):
            return text
        room = limit - SPARE - len(target.encode(prefix))
        while len(text) > 1 and len(target.encode(text)) > room:
            text = text[: len(text) // 2]
        return text


def of_same_tokens(after: Scored, alone: Scored) -> float:
    """Log-probability of a text after other text, without a first token that is not scored where it stands alone."""
    count = len(alone.tokens)
    same = after.tokens[len(after.tokens) - count :] == alone.tokens
    return float(after.log_probs[len(after.tokens) - count :].sum()) if same else after.total
