"""What all attacks with shadow models share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.membership._base import MembershipAttack, Scores
from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.shadows import Shadows, scaled_logit
from keepmum.targets._base import ScoreTarget


@dataclass(frozen=True)
class ShadowAttack(MembershipAttack[ScoreTarget]):
    """An attacker who knows the recipe and trains models of their own, with and without each record.

    Subclasses compare the target's signal about a record with those of the shadow models.

    Attributes:
      fewest: Shadow models that the technique needs.
    """

    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    by_recipe: ClassVar[bool] = True
    fewest: ClassVar[int] = 2

    @abstractmethod
    def infer(self, signal: Scores, shadows: Shadows, rng: np.random.Generator) -> Scores:
        """Membership scores, higher = more likely a member.

        Args:
          signal: ``(n,)`` scaled logits of the true label that the target gave, in the order of the shadows' records.
          shadows: What the shadow models gave.
          rng: Randomness of this attack alone.
        """

    @final
    def score(self, target: ScoreTarget, records: Records, ctx: Context) -> Scores:
        """Ask the target once, and compare with the shadow models.

        Raises:
          NotApplicableError: There are no shadow models, too few, or of other records.
        """
        shadows = ctx.shadows
        if shadows is None:
            raise NotApplicableError(f"needs shadow models: {ctx.without_shadows}")
        if len(shadows) < self.fewest:
            raise NotApplicableError(f"needs shadow models: at least {self.fewest}, there are {len(shadows)}")
        if records.ids is None or not np.array_equal(np.sort(records.ids), np.sort(shadows.ids)):
            raise NotApplicableError("needs shadow models: those at hand were trained on other records")
        order = np.argsort(shadows.ids)
        place = order[np.searchsorted(shadows.ids[order], records.ids)]
        signal = np.empty(len(records))
        signal[place] = scaled_logit(target, records)
        people = np.empty(len(records), dtype=np.intp)
        people[place] = np.arange(len(records))
        return np.asarray(self._compare(shadows.clip(signal), shadows, records.take(people), ctx)[place])

    def _compare(self, signal: Scores, shadows: Shadows, records: Records, ctx: Context) -> Scores:
        """`infer`, for techniques that look at signals alone; ``records`` are in the order of the shadows' records."""
        return self.infer(signal, shadows, ctx.rng)


def log_normal(value: Scores, mean: Scores, variance: Scores | float) -> Scores:
    """Logarithm of the normal density, up to a constant."""
    return np.asarray(-0.5 * ((value - mean) ** 2 / variance + np.log(variance)))
