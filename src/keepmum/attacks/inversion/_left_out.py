"""Each of some training rows in turn is the missing one: who, what is known, and how far off a guess is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Context
from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._glm import Glm, missing_row, pull, read, rows_of
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.targets._base import LabelTarget, RegressionTarget, Target

FEWEST = 10
"""Training rows below which the attack is not played: their spread is no unit to measure errors in."""


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Who is missing, what is known, and how far off a guess is.

    Attributes:
      estimator: The last step, fitted.
      model: Its coefficients.
      X: ``(n, d)`` all training rows as the last step gets them.
      truth: ``(n, k)`` their labels or values.
      chosen: ``(m,)`` rows that are in turn the missing one.
      strangers: ``(m, d)`` people the model never saw.
      stranger_X: ``(s, d)`` all of them.
      stranger_truth: ``(s, k)`` their labels; None for a regression.
      prepared: Whether other steps come before the last.
    """

    estimator: Any
    model: Glm
    X: Floats
    truth: Floats
    chosen: NDArray[np.intp]
    strangers: Floats
    stranger_X: Floats
    stranger_truth: Floats | None
    prepared: bool

    @cached_property
    def missing(self) -> Floats:
        """The missing rows, shape ``(m, d)``."""
        return np.asarray(self.X[self.chosen])

    @cached_property
    def spread(self) -> Floats:
        """Standard deviation of each column; 1 where all values are the same but for rounding."""
        spread = self.X.std(axis=0)
        return np.where(spread > 1e-12 * np.abs(self.X).max(axis=0), spread, 1.0)

    @cached_property
    def center(self) -> Floats:
        """Mean of all training rows."""
        return np.asarray(self.X.mean(axis=0))

    def off(self, guesses: Floats, rows: Floats) -> Floats:
        """Largest error over the columns in standard deviations, shape ``(m,)``."""
        return np.asarray(np.abs((guesses - rows) / self.spread).max(axis=1))

    @cached_property
    def nearest(self) -> Floats:
        """Error of the best guess without the model: the nearest known row, or the mean of all known rows."""
        n, errors = len(self.X), np.empty(len(self.chosen))
        for place, row in enumerate(self.chosen):
            distance = self.off(self.X, self.X[row])
            distance[row] = np.inf
            mean = (n * self.center - self.X[row]) / (n - 1)
            errors[place] = min(float(distance.min()), float(self.off(mean[None], self.X[[row]])[0]))
        return errors

    def recovered(self, model: Glm) -> Floats:
        """Each missing row from all others, shape ``(m, d)``; their mean where the coefficients tell nothing."""
        everyone, errors = pull(model, self.X, self.truth), model.answers(self.missing) - self.truth[self.chosen]
        pairs = zip(errors, self.missing, strict=True)
        with np.errstate(over="ignore", invalid="ignore"):
            found = np.array([missing_row(model, everyone.without(error, row))[0] for error, row in pairs])
        usable = np.isfinite(found).all(axis=1)
        return np.where(usable[:, None], found, self.center)

    def right(self, model: Glm) -> int:
        """People it never saw whose label a model tells."""
        assert self.stranger_truth is not None
        answers = model.answers(self.stranger_X)
        if answers.shape[1] == 1:
            return int(((answers > 0.5) == (self.stranger_truth > 0.5)).sum())
        return int((answers.argmax(axis=1) == self.stranger_truth.argmax(axis=1)).sum())


def leave_one_out(target: Target, data: Split, ctx: Context, people: int) -> LeaveOneOut:
    """Read the model, and choose who is missing.

    Raises:
      NotApplicableError: Not a model that it is for, or too few rows.
    """
    if target.internals is None:
        raise NotApplicableError("needs the model itself; only its answers are at hand")
    steps = [step for _, step in getattr(target.internals, "steps", [("", target.internals)])]
    model = read(steps[-1])
    everyone = data.members if ctx.trained_on is None else ctx.trained_on
    if len(everyone) < FEWEST:
        raise NotApplicableError(f"needs at least {FEWEST} training rows, got {len(everyone)}")
    X, stranger_X = (rows_of(_through(steps[:-1], side.X)) for side in (everyone, data.nonmembers))
    chosen = ctx.rng.permutation(len(X))[:people]
    strangers = np.resize(ctx.rng.permutation(len(stranger_X)), len(chosen))
    classes = len(model.intercepts)
    return LeaveOneOut(
        estimator=steps[-1],
        model=model,
        X=X,
        truth=_truth(target, everyone, classes),
        chosen=chosen,
        strangers=stranger_X[strangers],
        stranger_X=stranger_X,
        stranger_truth=_truth(target, data.nonmembers, classes) if isinstance(target, LabelTarget) else None,
        prepared=any(step is not None and step != "passthrough" for step in steps[:-1]),
    )


def _through(steps: list[Any], X: Any) -> Any:
    for step in steps:
        if step is not None and step != "passthrough":
            X = step.transform(X)
    return X


def _truth(target: Target, records: Records, classes: int) -> Floats:
    """Labels as one-hot rows, as one column of 0 and 1 for two classes, or values."""
    if isinstance(target, RegressionTarget):
        return target.values(records.y)[:, None]
    assert isinstance(target, LabelTarget)
    places = target.positions(records.y)
    return places[:, None].astype(np.float64) if classes == 1 else np.eye(classes)[places]
