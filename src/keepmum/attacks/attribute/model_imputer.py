"""Attribute inference from the model's confidence and an imputation together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._density import log_gaussian, posterior_of_logs
from keepmum.attacks.attribute._imputers import learned, many
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import RegressionTarget, ScoreTarget


@dataclass(frozen=True)
class ModelImputer(AttributeAttack[ScoreTarget]):
    """Model times imputation.

    What can be inferred about a person without the model is the better prior for what the model adds. Each value
    gets the probability of the true label times the probability that an imputation gives it.

    The imputation is the mean of what a logistic regression and a histogram gradient boosting make of known columns
    and label, from as many of the attacker's own people as the strongest baseline learns from. For models that predict
    numbers, a Gaussian density of the residual stands for the probability of the label, with the root mean square of
    the residuals among the attacker's own people.

    References:
      Jayaraman, Evans. Are Attribute Inference Attacks Just Imputation? CCS 2022, arXiv:2209.01292, there called BB.IP.
    """

    id: ClassVar[str] = "attribute/model-imputer"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:2209.01292",)
    values: ClassVar[bool] = True

    def guess(self, target: ScoreTarget | RegressionTarget, question: Question, ctx: Context) -> Guesses:
        """Likelihood of the label with each value put in, times the imputation."""
        rows = many(question, ctx.seed)
        imputed = (
            learned(question, "logistic", rows, labeled=True) + learned(question, "boosting", rows, labeled=True)
        ) / 2
        if isinstance(target, RegressionTarget):
            spread = question.own_error(target, self.own_people(question, ctx))
            return posterior_of_logs(log_gaussian(question.residuals(target), spread), imputed)
        return question.posterior(question.of_true_label(question.answers(target), target), imputed)
