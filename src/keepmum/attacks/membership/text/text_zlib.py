"""Membership inference for documents from the loss, relative to how well a compressor does."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class TextZlib(TextMembershipAttack[TokenScoreTarget]):
    """Zlib attack.

    A text that repeats itself is easy for any model, and for a compressor as well. A document that the model finds
    easy and zlib does not is called a member.

    The loss of the whole text is divided, not that of a token as in the paper: else long texts score highest.

    References:
      Carlini et al. Extracting Training Data from Large Language Models. USENIX Security 2021, arXiv:2012.07805,
      section 5.
    """

    id: ClassVar[str] = "membership/text-zlib"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2012.07805",)

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Log-probability of the text in nats, divided by its compressed size in bytes."""
        totals = each(read(target, texts), lambda scored: scored.total)
        sizes = [len(zlib.compress(text.encode("utf-8", "surrogatepass"))) for text in texts]
        return totals / np.array(sizes, dtype=np.float64)
