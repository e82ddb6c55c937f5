"""Membership inference for documents where the model is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership.text._base import TextMembershipAttack, both, shifts
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.targets.text import Scored, TokenScoreTarget


@dataclass(frozen=True)
class Ez(TextMembershipAttack[TokenScoreTarget]):
    """Error-zone attack (EZ-MIA).

    Where the model predicts the right token, so does its reference, and nothing is told. Memory shows where the model
    is wrong and yet finds the true token likelier than the reference does. Gains and losses at these places are added
    up apart and compared.

    Three deviations from the paper: shifts are those of log-probabilities; both sums are smoothed, so that a single
    token decides little, and the logarithm of the ratio is given, which ranks alike; in a text without an error, as
    of a model that recites, all tokens count.

    Attributes:
      smoothing: Nats added to both sums.

    Raises:
      ConfigError: A smoothing that is not above 0.

    References:
      Ilić, Stanojević, Cvejoski. Powerful Training-Free Membership Inference Against Autoregressive Language Models.
      2026, arXiv:2601.12104.
    """

    id: ClassVar[str] = "membership/ez"
    needs: ClassVar[type[TokenScoreTarget]] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2601.12104",)

    smoothing: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.smoothing < np.inf:
            raise ConfigError(f"expected a smoothing above 0 nats, got {self.smoothing}")

    def rate(self, target: TokenScoreTarget, texts: list[str], ctx: Context) -> Scores:
        """Logarithm of the sum of gains over that of losses, at the tokens that the target mispredicts.

        Raises:
          NotApplicableError: No reference model with the same tokens, or a target that does not tell its likeliest.
        """
        return np.array([self._ratio(mine, other) for mine, other in both(target, texts, ctx)], dtype=np.float64)

    def _ratio(self, mine: Scored, other: Scored) -> float:
        if not len(mine.log_probs):
            return float("nan")
        if mine.likeliest is None:
            raise NotApplicableError("needs to know which tokens are the likeliest, the target does not tell")
        shift = shifts(mine, other)
        wrong = ~mine.likeliest if not mine.likeliest.all() else np.ones(len(shift), dtype=bool)
        gains, losses = np.maximum(shift[wrong], 0).sum(), np.maximum(-shift[wrong], 0).sum()
        return float(np.log(gains + self.smoothing) - np.log(losses + self.smoothing))
