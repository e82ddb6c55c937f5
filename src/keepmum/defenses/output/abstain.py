"""No answer where the model is unsure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class Abstain(OutputDefense):
    """Answers with equal probabilities for all classes where the largest is below a threshold.

    An inversion that begins at noise or at a mean gets no hint there. Members are answered more surely than others, so
    that who is answered at all may tell membership.

    Attributes:
      threshold: Of the largest probability, between 0 and 1.

    Raises:
      ConfigError: A threshold out of range.

    References:
      Chow. On Optimum Recognition Error and Reject Tradeoff. IEEE Transactions on Information Theory 16 (1970), 41–46.
    """

    id: ClassVar[str] = "output/abstain"
    keeps_label: ClassVar[bool] = False

    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ConfigError(f"expected a threshold between 0 and 1, got {self.threshold}")

    def answer(self, scores: Floats) -> Floats:
        """Rows as they are, or even ones."""
        sure = scores.max(axis=1, keepdims=True) >= self.threshold
        return np.where(sure, scores, 1 / scores.shape[1])
