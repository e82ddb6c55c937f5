"""Membership inference by the share of reference models that find the record less probable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.membership._base import Scores
from keepmum.attacks.membership._shadow import ShadowAttack
from keepmum.shadows import Shadows


@dataclass(frozen=True)
class ReferenceRatio(ShadowAttack):
    """Attack R.

    Of the models that never saw the record, how many find its label less probable than the target does? A threshold
    for each record, from what models that do not know it say about it.

    References:
      Ye, Maddi, Murakonda, Bindschaedler, Shokri. Enhanced Membership Inference Attacks against Machine Learning
      Models. CCS 2022, arXiv:2111.09679, section 4, attack R.
    """

    id: ClassVar[str] = "membership/reference-ratio"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2111.09679",)

    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Share of the models trained without the record whose signal is lower, ties half."""
        below = np.zeros(len(signal))
        for model in range(len(shadows)):
            row = shadows.row(model)
            below += ~shadows.trained_on[model] * ((row < signal) + 0.5 * (row == signal))
        return np.asarray(below / np.maximum(shadows.sums.outside[0], 1.0))
