"""Membership inference from the loss, less how hard the record is for models that never saw it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.shadows import Shadows
from keepmum.shadows._fleet import log_probability


@dataclass(frozen=True)
class CalibratedLoss(ShadowAttack):
    """Loss, calibrated by difficulty.

    A low loss on an easy record says nothing. The mean loss of models that never saw the record is how hard it is; a
    member is a record that the target finds easier than they do.

    References:
      Watson, Guo, Cormode, Sablayrolles. On the Importance of Difficulty Calibration in Membership Inference Attacks.
      ICLR 2022, arXiv:2111.08440, equation 3.
    """

    id: ClassVar[str] = "membership/calibrated-loss"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2111.08440",)

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """``log p[y]`` of the target less its mean over models trained without the record."""
        return np.asarray(log_probability(signal) - shadows.sums.mean("outside", 4))
