"""A target that is asked several times, so that noise in its answers averages out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget, Target


class AveragedLabels(LabelTarget):
    """`LabelTarget` whose answer is the label given most often; of equally frequent ones, the first of `classes`."""

    def __init__(self, inner: LabelTarget, repeats: int) -> None:
        super().__init__(inner.classes)
        self.inner, self.repeats, self.notes = inner, repeats, inner.notes

    @property
    def internals(self) -> Any:
        """Those of the target that is asked."""
        return self.inner.internals

    def _predict(self, records: Records) -> Indices:
        self.queries += (self.repeats - 1) * len(records)
        votes = np.zeros((len(records), len(self.classes)), dtype=np.intp)
        for _ in range(self.repeats):
            votes[np.arange(len(records)), self.inner.predict(records)] += 1
        return np.asarray(votes.argmax(axis=1), dtype=np.intp)


class AveragedScores(ScoreTarget):
    """`ScoreTarget` whose answer is the mean of the probabilities."""

    def __init__(self, inner: ScoreTarget, repeats: int) -> None:
        super().__init__(inner.classes)
        self.inner, self.repeats, self.notes = inner, repeats, inner.notes

    @property
    def internals(self) -> Any:
        """Those of the target that is asked."""
        return self.inner.internals

    def _predict_proba(self, records: Records) -> Floats:
        self.queries += (self.repeats - 1) * len(records)
        return _mean([self.inner.predict_proba(records) for _ in range(self.repeats)])


class AveragedValues(RegressionTarget):
    """`RegressionTarget` whose answer is the mean of the values."""

    def __init__(self, inner: RegressionTarget, repeats: int) -> None:
        super().__init__()
        self.inner, self.repeats, self.notes = inner, repeats, inner.notes

    @property
    def internals(self) -> Any:
        """Those of the target that is asked."""
        return self.inner.internals

    def _predict_value(self, records: Records) -> Floats:
        self.queries += (self.repeats - 1) * len(records)
        return _mean([self.inner.predict_value(records) for _ in range(self.repeats)])


def _mean(answers: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Mean of equally shaped answers. Of equal answers it is that answer, bit for bit, however many there are."""
    first = answers[0]
    return np.asarray(first + sum(answer - first for answer in answers[1:]) / len(answers))


def averaged(target: Target, repeats: int) -> Target:
    """The same target, asked ``repeats`` times for every answer; each time counts as a query.

    An attacker who may ask again averages away noise that is drawn anew for each answer. On a target without noise
    nothing changes but the cost. Only answers are averaged: of a target that also gives gradients, the probabilities
    stay.

    Args:
      target: Who is asked.
      repeats: How often, at least 1.

    Raises:
      ConfigError: Fewer than one, or a target that always gives the same answer and need not be asked again.
    """
    if repeats < 1:
        raise ConfigError(f"expected repeats of at least 1, got {repeats}")
    if repeats == 1:
        return target
    if target.recorded:
        raise ConfigError(f"expected a model to ask {repeats} times, got recorded answers: leave out repeats")
    if isinstance(target, ScoreTarget):
        return AveragedScores(target, repeats)
    if isinstance(target, LabelTarget):
        return AveragedLabels(target, repeats)
    return AveragedValues(target, repeats) if isinstance(target, RegressionTarget) else target


def repeats_of(target: Target) -> int:
    """Queries to the model itself for one that a target with a memory counts."""
    return 1 if hasattr(target, "repeats") else int(getattr(getattr(target, "inner", target), "repeats", 1))
