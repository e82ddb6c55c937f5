"""Whoever knows all training rows but one computes that one from the coefficients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.inversion import _base as family
from keepmum.attacks.inversion._base import Floats, InversionAttack, Resemblance
from keepmum.attacks.inversion._glm import Glm
from keepmum.attacks.inversion._left_out import LeaveOneOut, leave_one_out
from keepmum.attacks.inversion._stationarity import stopping_noise, why
from keepmum.data import Split
from keepmum.errors import ConfigError
from keepmum.stats import Estimate
from keepmum.stats.intervals import clopper_pearson
from keepmum.targets._base import Target


@dataclass(frozen=True)
class InformedAdversary(InversionAttack[Target]):
    """Informed adversary, closed form.

    The attacker has the model's coefficients and every training row but one: an insider, or a hospital whose partner
    added a single patient. Training ends where all rows pull the coefficients equally; what is left over when the known
    rows have pulled is the pull of the missing one, and gives its columns and its label.

    Every missing row is measured by its largest error over the columns, in standard deviations of the column. The guess
    without the model is the nearest known row, or the mean of the known rows where that is nearer. The control compares
    what was computed with a person whom the model never saw. It is a leak if both are farther than the truth in a
    sign test.

    Deviations from the paper: rows are measured in standard deviations and not in pixels; models with more than a
    linear part, for which the paper trains a reconstructor, are not attacked.

    Attributes:
      people: Training rows that are in turn the missing one, drawn at random.
      tolerance: Largest error, in standard deviations of a column, at which a row counts as recovered.

    Raises:
      ConfigError: No people, or a tolerance that is not above 0.

    References:
      Balle, Cherubin, Hayes. Reconstructing Training Data with Informed Adversaries. S&P 2022, arXiv:2201.04845, on
      convex models.
    """

    id: ClassVar[str] = "inversion/informed-adversary"
    needs: ClassVar[type[Target]] = Target
    sees: ClassVar[str] = "model file"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.04845",)

    people: int = 50
    tolerance: float = 1e-2

    def __post_init__(self) -> None:
        if self.people < 1 or not self.tolerance > 0:
            raise ConfigError(
                f"expected people of at least 1 and a tolerance above 0, got {self.people} and {self.tolerance}"
            )

    def reconstruct(self, target: Target, data: Split, ctx: Context) -> Resemblance:
        """Leave each of some members out, compute them from the others, and compare."""
        game = leave_one_out(target, data, ctx, self.people)
        found = game.recovered(game.model)
        errors, guesses = game.off(found, game.missing), game.nearest
        strangers = game.off(found, game.strangers)
        p_value = max(family.sign_p_value(errors, guesses), family.sign_p_value(errors, strangers))
        leak = p_value <= family.LEVEL and np.median(errors) < np.median(guesses)
        metrics = self._measured(errors)
        noise = self._noise(game, ctx) if leak else {}
        return Resemblance(
            explanation=self._explanation(game, metrics, family.median(guesses), noise),
            p_value=p_value,
            verdict=family.RECORD if leak else family.NOTHING,
            metrics={**metrics, **noise},
            baseline=self._measured(guesses),
            control=self._measured(strangers),
        )

    def _measured(self, errors: Floats) -> dict[str, Estimate]:
        hits = int((errors <= self.tolerance).sum())
        return {"recovered_share": clopper_pearson(hits, len(errors)), "median_error": family.median(errors)}

    def _noise(self, game: LeaveOneOut, ctx: Context) -> dict[str, Estimate]:
        """Noise on the coefficients at which the attack is no better than the guess, and what it costs."""
        limit = float(np.median(game.nearest))

        def fails(model: Glm) -> bool:
            return not np.median(game.off(game.recovered(model), game.missing)) < limit

        noise, draws = stopping_noise(game.model, fails, ctx.rng)
        estimate = family.median(noise)
        seen = {"noise_that_stops_it": estimate}
        if game.stranger_truth is None:
            return seen
        noisy = [game.model.moved(estimate.value * slopes, estimate.value * offsets) for slopes, offsets in draws]
        rights = sorted(game.right(model) for model in noisy)
        trials = len(game.stranger_truth)
        return {
            **seen,
            "accuracy_without_noise": clopper_pearson(game.right(game.model), trials),
            "accuracy_with_noise": clopper_pearson(rights[len(rights) // 2], trials),
        }

    def _explanation(
        self, game: LeaveOneOut, metrics: dict[str, Estimate], guess: Estimate, noise: dict[str, Estimate]
    ) -> str:
        share, error = metrics["recovered_share"].value, metrics["median_error"].value
        where = " (as it reaches the linear model)" if game.prepared else ""
        who = f"Whoever knows all training rows but one and has the coefficients can compute the missing row{where}"
        measured = (
            f"the median error is {error:.2g} standard deviations in the worst column, that of the best guess without "
            f"the model {guess.value:.2g}"
        )
        reason = why(game.estimator, game.model, game.X, game.truth) if share < 0.5 else ""
        if not noise:
            failed = who.replace(" can compute", ", and computes") + f", comes no closer than a guess: {measured}."
            return f"{failed} The reason: {reason}." if reason else failed
        text = f"{who}: {measured}, and {share:.0%} of {len(game.missing)} people are recovered to {self.tolerance:g}."
        text += f" It is no closer since {reason}." if reason else ""
        stop = noise["noise_that_stops_it"].value
        return f"{text} Noise of standard deviation {stop:.2g} on every coefficient {_cost(noise)}."


def _cost(noise: dict[str, Estimate]) -> str:
    if "accuracy_with_noise" not in noise:
        return "would stop it"
    before, after = noise["accuracy_without_noise"].value, noise["accuracy_with_noise"].value
    return f"would stop it; accuracy on people it never saw would be {after:.1%} instead of {before:.1%}"
