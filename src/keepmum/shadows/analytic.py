"""What models trained on random halves would say about each record, in closed form: logistic regression."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import NotApplicableError
from keepmum.shadows import _cavity, _influence
from keepmum.shadows._fleet import Shadows
from keepmum.training import SklearnTrainer, Trainer

Floats = NDArray[np.float64]

MOST_PARAMETERS = 2_000
"""Columns times classes at most: the Hessian has their square."""
FREE = 1e-6
"""Penalty of an intercept that is not penalized, so that the Hessian can be inverted."""
TOLERANCE = 2.0
"""How many times the variance that real fits show may differ from the one that was computed."""
FAR = 0.5
"""Mean square distance of real means from those that were computed, in variances, at most."""


@dataclass(frozen=True, eq=False)
class Expected:
    """The scaled logit of the true label over models trained on random halves.

    Attributes:
      inside: ``(2, n)`` mean and variance over the models trained on the record.
      outside: ``(2, n)`` the same over the models not trained on it.
      settled: Whether the equations were solved.
    """

    inside: Floats
    outside: Floats
    settled: bool = True


@dataclass(frozen=True)
class Recipe:
    """A logistic regression with L2 penalty.

    Attributes:
      model: The unfitted regression.
      before: The steps of the pipeline before it, or None.
    """

    model: Any
    before: Any = None

    def columns(self, records: Records) -> tuple[Floats, Floats]:
        """``(n, d)`` columns as the regression sees them, and ``(d,)`` their penalties.

        The steps before it are fitted on all records, though each model fits them on its half: scales and means hardly
        differ.

        Raises:
          NotApplicableError: No numbers, or too many columns.
        """
        from sklearn.base import clone

        X = records.X if self.before is None else clone(self.before).fit_transform(records.X, records.y)
        if X.shape[1] > MOST_PARAMETERS:
            raise NotApplicableError(f"needs at most {MOST_PARAMETERS:,} columns, the regression has {X.shape[1]:,}")
        try:
            X = np.asarray(X.toarray() if hasattr(X, "toarray") else X, dtype=np.float64)
        except (TypeError, ValueError) as err:
            raise NotApplicableError(f"needs columns of numbers ({str(err)[:100]})") from err
        ridge = np.ones(X.shape[1])
        if not self.model.fit_intercept:
            return X, ridge
        penalized = self.model.solver == "liblinear"
        constant = np.full((len(X), 1), float(self.model.intercept_scaling) if penalized else 1.0)
        return np.hstack([X, constant]), np.append(ridge, 1.0 if penalized else FREE)


def recipe(trainer: Trainer | None) -> Recipe:
    """The regression that a trainer trains.

    Raises:
      NotApplicableError: It trains something else.
    """
    from sklearn.linear_model import LogisticRegression

    wanted = "needs the recipe of a logistic regression with L2 penalty, alone or at the end of a pipeline"
    if not isinstance(trainer, SklearnTrainer):
        raise NotApplicableError(wanted)
    estimator, before = trainer.estimator, None
    if hasattr(estimator, "steps"):
        before = estimator[:-1] if len(estimator.steps) > 1 else None
        estimator = estimator.steps[-1][1]
    if type(estimator) is not LogisticRegression:
        raise NotApplicableError(f"{wanted}; this one trains {type(estimator).__name__}")
    given = estimator.get_params()
    penalty, share = given.get("penalty", "l2"), given.get("l1_ratio") or 0.0
    if penalty not in ("l2", "deprecated") or (penalty == "deprecated" and share) or not np.isfinite(given["C"]):
        raise NotApplicableError(f"{wanted}; this one has another penalty, or none")
    if given["class_weight"] is not None or given.get("multi_class") == "ovr":
        raise NotApplicableError(f"{wanted}, without weights of classes and with one model for all of them")
    return Recipe(estimator, before)


def expected(trainer: Trainer | None, records: Records, shadows: Shadows) -> Expected:
    """Means and variances of each record's signal, inside and outside, without training.

    Two classes: `keepmum.shadows._cavity`, which begins at the means of the shadow models. More:
    `keepmum.shadows._influence`, one fit of all records at half weight.

    Args:
      trainer: The recipe of the shadow models.
      records: Those who are audited, in the order of the shadows' records.
      shadows: A few real fits.

    Raises:
      NotApplicableError: See `recipe` and `Recipe.columns`.
    """
    found = recipe(trainer)
    X, ridge = found.columns(records)
    classes, y = np.unique(records.y, return_inverse=True)
    strength = float(found.model.C)
    if len(classes) == 2:
        sign = 2.0 * y - 1
        rows = np.stack([shadows.row(model) for model in range(len(shadows))])
        spread = float(rows.var(axis=0, ddof=1).mean())
        halves = _cavity.halves(X, y.astype(np.float64), strength, ridge, sign * rows.mean(axis=0), spread)
        inside, outside = (np.stack([sign * side[0], side[1]]) for side in (halves.inside, halves.outside))
        return Expected(inside, outside, halves.settled)
    if len(classes) * X.shape[1] > MOST_PARAMETERS:
        raise NotApplicableError(
            f"needs at most {MOST_PARAMETERS:,} parameters, the regression has {len(classes) * X.shape[1]:,}"
        )
    logits = _half_weight(found.model, X, ridge, records.y)
    both = _influence.halves(X, y, strength, np.maximum(ridge, 1e-6 * strength * len(y)), logits)
    return Expected(*both, settled=all(bool(np.isfinite(side).all()) for side in both))


def _half_weight(model: Any, X: Floats, ridge: Floats, y: NDArray[Any]) -> Floats:
    """Logits of the fit of all records at half weight, ``(n, K)``."""
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    fitted = clone(model).set_params(C=model.C / 2)
    columns = X[:, :-1] if model.fit_intercept else X
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(fitted.fit(columns, y).decision_function(columns))


def disagreement(found: Expected, shadows: Shadows) -> str:
    """Why real fits do not behave as expected, or nothing.

    On each side, for each record: the variance of the real signals against the expected one, and the square of how far
    their mean is from it, less what chance alone would make of it. Over all records these estimates have about as many
    degrees of freedom as models times parameters.
    """
    if not found.settled:
        return "its equations did not come to rest, as where a line nearly divides the classes"
    for side, inside, (mean, variance) in (("with", True, found.inside), ("without", False, found.outside)):
        sums = np.zeros((3, len(mean)))
        for model in range(len(shadows)):
            off = (shadows.row(model) - mean) / np.sqrt(variance)
            sums += np.stack([np.ones_like(off), off, off**2]) * (shadows.trained_on[model] == inside)
        count, total, square = sums[:, sums[0] > 1]
        spread = (square - total**2 / count) / (count - 1)
        ratio, shift = float(spread.mean()), float(((total / count) ** 2 - spread / count).mean())
        if not 1 / TOLERANCE <= ratio <= TOLERANCE:
            return f"real fits {side} a record show {ratio:.2g} times the variance that was computed"
        if shift > FAR:
            return f"real fits {side} a record are {np.sqrt(shift):.2g} deviations from the means that were computed"
    return ""
