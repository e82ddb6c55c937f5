"""Membership inference for documents by the votes of windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, both, shifts
from keepmum.errors import ConfigError
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class Wbc(TextMembershipAttack[TokenScoreTarget]):
    """Window-based comparison (WBC).

    What is remembered is remembered in places, and a mean over the whole text is ruled by a few extreme tokens. Windows
    slide over the text; each votes for membership if the target's loss within it is below the reference's. The shares
    of the votes for windows of several lengths are averaged.

    Windows longer than the text are left out; a text shorter than the shortest is one window. Ties are half a vote.

    Attributes:
      shortest: Tokens of the shortest window.
      longest: Tokens of the longest window.
      sizes: Window lengths, evenly spaced in their logarithm.

    Raises:
      ConfigError: Lengths that are none.

    References:
      Chen et al. Window-based Membership Inference Attacks Against Fine-tuned Large Language Models. USENIX Security
      2026, arXiv:2601.02751.
    """

    id: ClassVar[str] = "membership/wbc"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2601.02751",)

    shortest: int = 2
    longest: int = 40
    sizes: int = 10

    def __post_init__(self) -> None:
        if not 1 <= self.shortest <= self.longest or self.sizes < 1:
            raise ConfigError(
                f"expected windows of at least 1 token and at least 1 length, got {self.shortest} to {self.longest} "
                f"in {self.sizes} lengths"
            )

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Mean over window lengths of the share of windows that vote for membership, 0 … 1.

        Raises:
          NotApplicableError: No reference model with the same tokens.
        """
        lengths = np.unique(np.round(np.geomspace(self.shortest, self.longest, self.sizes)).astype(int))
        pairs = both(target, texts, ctx)
        return np.array([votes(shifts(*pair), lengths) for pair in pairs], dtype=np.float64)


def votes(shift: Scores, lengths: np.ndarray) -> float:
    """Mean over lengths of the share of windows whose shifts add up to more than 0; NaN without tokens."""
    if not len(shift):
        return float("nan")
    before = np.concatenate([[0.0], np.cumsum(shift)])
    fitting = [length for length in lengths.tolist() if length <= len(shift)] or [len(shift)]
    shares = []
    for length in fitting:
        sums = before[length:] - before[:-length]
        shares.append(float(((sums > 0) + 0.5 * (sums == 0)).mean()))
    return float(np.mean(shares))
