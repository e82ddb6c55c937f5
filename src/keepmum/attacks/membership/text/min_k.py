"""Membership inference for documents from their least likely tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.errors import ConfigError
from keepmum.targets.text import TokenScoreTarget


@dataclass(frozen=True)
class MinK(TextMembershipAttack[TokenScoreTarget]):
    """Min-K% attack.

    A text that the model never saw holds a few words that surprise it; one that it was trained on does not. The mean
    is taken over the least likely tokens alone.

    Attributes:
      share: Share of the tokens that count, at least one token.

    Raises:
      ConfigError: A share that is none.

    References:
      Shi et al. Detecting Pretraining Data from Large Language Models. ICLR 2024, arXiv:2310.16789.
    """

    id: ClassVar[str] = "membership/min-k"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2310.16789",)

    share: float = 0.2

    def __post_init__(self) -> None:
        check_share(self.share)

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Mean of the lowest log-probabilities, in nats."""
        return each(read(target, texts), lambda scored: mean_of_lowest(scored.log_probs, self.share))


def check_share(share: float) -> None:
    """Whether a share is one.

    Raises:
      ConfigError: It is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise ConfigError(f"expected a share of the tokens above 0 and up to 1, got {share}")


def mean_of_lowest(values: Scores, share: float) -> float:
    """Mean of the lowest share of some values, at least one."""
    count = max(1, int(share * len(values)))
    return float(np.partition(values, count - 1)[:count].mean())
