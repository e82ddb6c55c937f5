"""Generalized linear models, and the one row that their coefficients give away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.errors import NotApplicableError

MOST_CELLS = 100_000_000
"""Cells of the training rows that are held in memory."""


@dataclass(frozen=True, eq=False)
class Glm:
    """A fitted model whose answer is a function of ``X @ coefficients.T + intercepts``.

    It minimizes the sum of losses whose gradient in the score is answer minus truth, plus half of ``penalty`` times
    the squared coefficients and half of ``intercept_penalty`` times the squared intercepts.

    Attributes:
      coefficients: ``(k, d)``.
      intercepts: ``(k,)``.
      answer: Scores ``(n, k)`` to answers ``(n, k)``: softmax, sigmoid, or the scores themselves.
      penalty: Weight of the coefficients' penalty, at least 0.
      intercept_penalty: Weight of the intercepts' penalty, at least 0.
    """

    coefficients: Floats
    intercepts: Floats
    answer: Callable[[Floats], Floats]
    penalty: float = 0.0
    intercept_penalty: float = 0.0

    def answers(self, X: Floats) -> Floats:
        """Answers about rows ``(n, d)``, shape ``(n, k)``."""
        return self.answer(X @ self.coefficients.T + self.intercepts)

    def moved(self, coefficients: Floats, intercepts: Floats) -> Glm:
        """The same model with something added to its parameters."""
        return replace(self, coefficients=self.coefficients + coefficients, intercepts=self.intercepts + intercepts)


@dataclass(frozen=True, eq=False)
class Pull:
    """What rows do to the gradient of the objective.

    Attributes:
      intercepts: ``(k,)`` sum of the errors, answer minus truth.
      coefficients: ``(k, d)`` sum of errors times rows.
    """

    intercepts: Floats
    coefficients: Floats

    def without(self, error: Floats, row: Floats) -> Pull:
        """The same without one of the rows, whose error ``(k,)`` is given."""
        return Pull(self.intercepts - error, self.coefficients - np.outer(error, row))


def pull(model: Glm, X: Floats, truth: Floats) -> Pull:
    """What rows ``(n, d)`` with truth ``(n, k)`` (one-hot labels, or values) do to the gradient."""
    errors = model.answers(X) - truth
    return Pull(errors.sum(axis=0), errors.T @ X)


def gradient(model: Glm, rows: Pull) -> Pull:
    """Gradient of the whole objective: rows and penalties. It is 0 where all rows are there and training was exact."""
    return Pull(
        rows.intercepts + model.intercept_penalty * model.intercepts,
        rows.coefficients + model.penalty * model.coefficients,
    )


def missing_row(model: Glm, known: Pull) -> tuple[Floats, Floats]:
    """The one row that makes the model stationary, given all others.

    Where the objective is at its minimum, its gradient is 0, so that the missing row's part is minus all the rest: in
    the intercepts its error ``e``, in the coefficients ``e`` times the row.

    Args:
      model: The fitted model.
      known: What all other rows do to the gradient.

    Returns:
      The row ``(d,)`` and its error ``(k,)``; its truth is its answer minus the error. The row is NaN where the error
      is 0, as then the coefficients do not depend on it.

    References:
      Balle, Cherubin, Hayes. S&P 2022, arXiv:2201.04845, on generalized linear models with an intercept.
    """
    rest = gradient(model, known)
    error = -rest.intercepts
    size = float(error @ error)
    if not size > 0:
        return np.full(model.coefficients.shape[1], np.nan), error
    return -(error @ rest.coefficients) / size, error


def read(estimator: Any) -> Glm:
    """A fitted scikit-learn estimator as a generalized linear model.

    Raises:
      NotApplicableError: It is none, or its coefficients are no minimum of an objective that is known.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

    kind = type(estimator)
    if kind not in (LogisticRegression, LinearRegression, Ridge):
        raise NotApplicableError(
            "needs coefficients with a closed form (LogisticRegression, LinearRegression, Ridge), the model at hand is "
            f"a {kind.__name__}"
        )
    if not estimator.fit_intercept:
        raise NotApplicableError("needs an intercept: without one the missing row is known up to its length only")
    coefficients = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64))
    intercepts = np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64))
    if kind is LogisticRegression:
        return _logistic(estimator, coefficients, intercepts)
    if estimator.positive:
        raise NotApplicableError("needs coefficients that are free: with positive=True some are held at 0")
    penalty = float(np.ravel(estimator.alpha)[0]) if kind is Ridge else 0.0
    return Glm(coefficients, intercepts, _same, penalty)


def _logistic(estimator: Any, coefficients: Floats, intercepts: Floats) -> Glm:
    if estimator.class_weight is not None:
        raise NotApplicableError("needs rows of equal weight: class_weight gives them others (class_weight=None)")
    penalty = 1.0 / float(estimator.C)
    if estimator.penalty is None:
        penalty = 0.0
    elif penalty and (estimator.penalty in ("l1", "elasticnet") or estimator.penalty == "deprecated"):
        ratio = 1.0 if estimator.penalty == "l1" else estimator.l1_ratio
        if ratio:
            raise NotApplicableError("needs a squared penalty or none: an L1 penalty holds some coefficients at 0")
    how = getattr(estimator, "multi_class", "auto")
    if how == "multinomial" and len(intercepts) == 1:
        raise NotApplicableError("needs multi_class='auto' where there are two classes")
    single = len(intercepts) == 1 or how == "ovr" or estimator.solver == "liblinear"
    held = penalty / float(estimator.intercept_scaling) ** 2 if estimator.solver == "liblinear" else 0.0
    return Glm(coefficients, intercepts, _sigmoid if single else _softmax, penalty, held)


def rows_of(X: Any) -> Floats:
    """Rows as the last step gets them, as an array of numbers.

    Raises:
      NotApplicableError: They are no table of numbers, or too large a one.
    """
    shape: tuple[int, ...] = tuple(getattr(X, "shape", ()))
    if len(shape) != 2 or shape[0] * shape[1] > MOST_CELLS:
        raise NotApplicableError(f"needs a table of at most {MOST_CELLS:,} numbers (rows times columns), got {shape}")
    try:
        values = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise NotApplicableError("needs columns of numbers where the linear model gets them") from err
    return values


def _same(scores: Floats) -> Floats:
    return scores


def _sigmoid(scores: Floats) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(scores))


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
