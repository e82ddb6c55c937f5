"""Attribute inference by maximum a posteriori, from predicted labels and how often the model confuses them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._density import log_gaussian, posterior_of_logs
from keepmum.attacks.attribute._question import Guesses, Question
from keepmum.targets._base import LabelTarget, RegressionTarget


@dataclass(frozen=True)
class Fredrikson(AttributeAttack[LabelTarget]):
    """Fredrikson's model inversion.

    With the right value put in, the model's prediction goes better with the label that the person is known to have.
    Each value gets the probability of that label, given what the model predicts for it, times how common the value
    is.

    How often the model errs, and by how much, is counted on the attacker's own people: for classes a confusion
    matrix, with one person spread evenly over each of its rows; for numbers a Gaussian error with the root mean
    square of the residuals as its standard deviation. The paper multiplies by the marginals of all columns: those
    of known columns are the same for all candidates and drop out; in place of those of unknown columns stands the
    mean over completions.

    References:
      Fredrikson, Lantz, Jha, Lin, Page, Ristenpart. Privacy in Pharmacogenetics: An End-to-End Case Study of
      Personalized Warfarin Dosing. USENIX Security 2014, pages 17-32, section 3.
    """

    id: ClassVar[str] = "attribute/fredrikson"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    references: ClassVar[tuple[str, ...]] = ("USENIX Security 2014, pages 17-32",)
    values: ClassVar[bool] = True

    def guess(self, target: LabelTarget | RegressionTarget, question: Question, ctx: Context) -> Guesses:
        """Posterior of each value under the model's errors among the attacker's own people."""
        rows = self.own_people(question, ctx)
        if isinstance(target, RegressionTarget):
            errors = log_gaussian(question.residuals(target), question.own_error(target, rows))
            return posterior_of_logs(errors, question.prior)
        told = question.labels(target) @ confusion(target, question, rows)
        return question.posterior(question.of_true_label(told, target))


def confusion(target: LabelTarget, question: Question, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    """``(K, K)`` probability of each true label (column) given the predicted one (row), from these own people."""
    classes = len(target.classes)
    predicted = question.own_labels(target, rows)
    counts = np.full((classes, classes), 1 / classes)
    np.add.at(counts, (predicted, target.positions(question.public.y[rows])), 1.0)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))
