"""Attribute inference from how well each candidate's error goes with the model's training error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._density import log_exponential, log_gaussian, posterior_of_logs
from keepmum.attacks.attribute._question import FLOOR, Guesses, Question
from keepmum.errors import ConfigError
from keepmum.targets._base import RegressionTarget, ScoreTarget


@dataclass(frozen=True)
class Yeom(AttributeAttack[ScoreTarget]):
    """Yeom's attribute inference.

    With the right value put in, the model's error about someone it was trained on is as small as its training
    errors are; with a wrong value it is larger. Each value gets the density of the training error at the error that
    it leads to, times how common the value is.

    For classes the error is the loss ``-log p[y]``, with an exponential density, whose mean is the mean training
    loss; for numbers it is the residual, with a Gaussian density. The paper's attacker is told the training error.
    One who is not takes what it would be if everybody had the value that fits them best: the mean over people of
    the smallest loss over candidates, or the root mean square of the smallest residuals.

    Attributes:
      training_error: Mean loss on the training data in nats; for numbers the standard deviation of the training error.
        Estimated if None.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. Privacy Risk in Machine Learning: Analyzing the Connection to Overfitting.
      CSF 2018, arXiv:1709.01604, on attribute inference by an adversary who knows the distribution of the error.
    """

    id: ClassVar[str] = "attribute/yeom"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)
    values: ClassVar[bool] = True

    training_error: float | None = None

    def __post_init__(self) -> None:
        if self.training_error is not None and not self.training_error > 0:
            raise ConfigError(f"training_error: expected a number above 0, got {self.training_error}")

    def guess(self, target: ScoreTarget | RegressionTarget, question: Question, ctx: Context) -> Guesses:
        """Density of the training error at each candidate's error, times the prior."""
        if isinstance(target, RegressionTarget):
            residuals = question.residuals(target)
            best = np.abs(residuals).min(axis=(1, 2))
            logs = log_gaussian(residuals, self._typical(np.sqrt((best**2).mean())))
        else:
            answers = question.each(question.scores(target))
            true = np.take_along_axis(answers, question.true_label(target)[:, None, None, None], axis=3)[..., 0]
            losses = -np.log(np.maximum(true, FLOOR))
            logs = log_exponential(losses, self._typical(losses.min(axis=(1, 2)).mean()))
        return posterior_of_logs(logs, question.prior)

    def _typical(self, best: float) -> float:
        return float(best) if self.training_error is None else self.training_error
