"""Membership inference for documents from what small letters change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TINY, TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class TextLowercase(TextMembershipAttack[TokenScoreTarget]):
    """Lowercase attack.

    What was memorized was memorized letter by letter. A document that becomes much less likely when it is written in
    small letters is called a member.

    Losses of whole texts are compared, not perplexities by token as in the paper: in small letters a text may be cut
    into more tokens or fewer, each of them easier or harder.

    References:
      Carlini et al. Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805,
      section 5.
    """

    id: ClassVar[str] = "membership/text-lowercase"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2012.07805",)

    @property
    def per_record(self) -> int:
        """The text in small letters."""
        return 1

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Minus the loss of the text, divided by its loss in small letters; -1 where nothing changes."""
        own = each(read(target, texts), lambda scored: -scored.total)
        small = each(read(target, [text.lower() for text in texts]), lambda scored: -scored.total)
        return -np.maximum(own, TINY) / np.maximum(small, TINY)
