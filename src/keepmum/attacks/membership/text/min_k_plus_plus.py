"""Membership inference for documents from tokens that are unlikely for their place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, each
from keepmum.attacks.membership.text._windows import read
from keepmum.attacks.membership.text.min_k import check_share, mean_of_lowest
from keepmum.errors import NotApplicableError
from keepmum.targets.text import LogitTarget, Scored

NARROWEST = 1e-3
"""Smallest spread of log-probabilities, in nats, that is divided by: below it the model is certain."""


@dataclass(frozen=True)
class MinKPlusPlus(TextMembershipAttack[LogitTarget]):
    """Min-K%++ attack.

    Training makes the next token a mode of what the model expects. How likely a token is is therefore compared with
    how likely a token drawn from the model would be at this place, in standard deviations; the least likely ones
    count.

    Attributes:
      share: Share of the tokens that count, at least one token.

    Raises:
      ConfigError: A share that is none.

    References:
      Zhang et al. Min-K%++: Improved Baseline for Detecting Pre-Training Data from Large Language Models. ICLR 2025,
      arXiv:2404.02936.
    """

    id: ClassVar[str] = "membership/min-k-plus-plus"
    needs: ClassVar[type[LogitTarget]] = LogitTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2404.02936",)

    share: float = 0.2

    def __post_init__(self) -> None:
        check_share(self.share)

    def rate(self, target: LogitTarget, texts: list[str], ctx: Context) -> Scores:
        """Mean of the lowest standardized log-probabilities.

        Raises:
          NotApplicableError: The target does not tell means and spreads.
        """
        return each(read(target, texts), lambda scored: mean_of_lowest(standardized(scored), self.share))


def standardized(scored: Scored) -> Scores:
    """Log-probability of each token, less its mean and divided by its spread under the model, ``(t,)``.

    Raises:
      NotApplicableError: The target does not tell these.
    """
    if scored.means is None or scored.spreads is None:
        raise NotApplicableError(
            "needs the mean and spread of the next token's log-probability, the target tells that of the token alone"
        )
    return np.asarray((scored.log_probs - scored.means) / np.maximum(scored.spreads, NARROWEST), dtype=np.float64)
