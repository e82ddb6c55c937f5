"""Membership inference for documents from the loss of a language model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.targets.text import Scored, TokenScoreTarget


@dataclass(frozen=True)
class TextLoss(TextMembershipAttack[TokenScoreTarget]):
    """Loss attack on documents.

    A language model is less surprised by what it was trained on. A document with a low loss per token is called a
    member. Easy documents have a low loss, too: that is what all other attacks correct for.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, adversary 2. Carlini et al. Extracting Training
      Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805, with the perplexity of texts.
    """

    id: ClassVar[str] = "membership/text-loss"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604", "arXiv:2012.07805")

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Mean log-probability of the tokens, in nats."""
        return each(read(target, texts), mean)


def mean(scored: Scored) -> float:
    """Mean log-probability of the tokens of a text, in nats."""
    return float(scored.log_probs.mean())
