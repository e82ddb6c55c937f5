"""Attribute inference from the model's answer about the true record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.attribute._base import AttributeAttack
from keepmum.attacks.attribute._imputers import boosting, fit_predict
from keepmum.attacks.attribute._question import FLOOR, Guesses, Question
from keepmum.data import Records
from keepmum.targets._base import RegressionTarget, ScoreTarget

FOLDS = 3
PENALTIES = (1.0, 1e4)
"""Inverse strengths of the ridge penalty: an attribute with a small coefficient is read off with a large one."""


@dataclass(frozen=True)
class OutputInversion(AttributeAttack[ScoreTarget]):
    """Output inversion.

    The attacker sees what the model answered about the person's true record, as whoever receives its scores does. From
    people of their own they learn which value goes with which answer, and read the attribute off.

    This is not leakage of training data: a model that uses the attribute shows it in its answers about anybody, trained
    on or not. The finding therefore has no p-value, and is never a leak. The learner is a logistic regression on the
    log-odds, which undoes a linear model exactly, or a gradient boosting: whichever has the smaller cross-validated
    loss among the attacker's own people.

    References:
      Nicolae et al. Adversarial Robustness Toolbox. arXiv:1807.01069, in whose software it is the black-box
      attribute inference attack; here with log-odds for probabilities.
    """

    id: ClassVar[str] = "attribute/output-inversion"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1807.01069",)
    values: ClassVar[bool] = True
    trained_people: ClassVar[bool] = False

    def guess(self, target: ScoreTarget | RegressionTarget, question: Question, ctx: Context) -> Guesses:
        """What the better of two learners makes of the answer about the true record."""
        rows = self.own_people(question, ctx)
        truth = question.public_truth[rows]
        if len(np.unique(truth)) < 2:
            return np.tile(question.prior, (len(question), 1))
        heard, asked = _answers(target, question.public.take(rows)), _answers(target, question.complete)
        table = question.features
        middle, spread = heard.mean(axis=0), heard.std(axis=0)
        scale = np.where(spread > 0, spread, 1.0)
        plain = [
            np.column_stack([(heard - middle) / scale, table.public[rows], table.public_label[rows]]),
            np.column_stack([(asked - middle) / scale, table.people, table.people_label]),
        ]
        coded = [
            np.column_stack([heard, table.public_codes[rows], table.public_label[rows]]),
            np.column_stack([asked, table.people_codes, table.people_label]),
        ]
        kinds = np.r_[np.zeros(heard.shape[1], bool), table.kinds, np.zeros(table.public_label.shape[1], bool)]
        learners = [(_linear(penalty), *plain) for penalty in PENALTIES]
        learners.append((boosting(coded[0], kinds), *coded))
        folds = ctx.rng.permutation(len(rows)) % FOLDS
        losses = [_loss(model, known, truth, folds, question.prior) for model, known, _ in learners]
        model, known, people = learners[int(np.argmin(losses))]
        return fit_predict(model, known, truth, people, question.prior)


def _answers(target: ScoreTarget | RegressionTarget, records: Records) -> NDArray[np.float64]:
    """Centered log-probabilities, ``(n, K)``, which are linear in a linear model's columns; or values, ``(n, 1)``."""
    if isinstance(target, RegressionTarget):
        return target.predict_value(records)[:, None]
    logs = np.log(np.maximum(target.predict_proba(records), FLOOR))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def _linear(penalty: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=penalty, max_iter=2_000)


def _loss(
    model: Any, known: NDArray[np.float64], truth: NDArray[np.intp], folds: NDArray[np.intp], prior: NDArray[np.float64]
) -> float:
    """Mean cross-validated loss, in nats."""
    lost = np.zeros(len(truth))
    for fold in range(FOLDS):
        out = folds == fold
        if len(np.unique(truth[~out])) < 2:
            guesses = np.tile(prior, (int(out.sum()), 1))
        else:
            guesses = fit_predict(model, known[~out], truth[~out], known[out], prior)
        lost[out] = -np.log(guesses[np.arange(len(guesses)), truth[out]])
    return float(lost.mean())
