"""Any callable that returns probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import Floats, ScoreTarget, _plain, _unique
from keepmum.targets.sklearn import answer_of


class FunctionScores(ScoreTarget):
    """A function ``X -> (n, K)`` probabilities.

    Args:
      function: Called with the records as they came; for two classes ``(n,)`` or ``(n, 1)`` are the probability of
        the second.
      classes: ``(K,)`` labels in the order of the columns.
    """

    def __init__(self, function: Callable[[Any], Any], classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._function = function

    def _predict_proba(self, records: Records) -> Floats:
        return as_numbers(answer_of(self._function, records))


def as_numbers(answer: Any) -> Floats:
    """The answer as an array; tensors come off their device.

    Raises:
      TargetError: It is none.
    """
    if hasattr(answer, "detach"):
        answer = answer.detach().cpu()
    try:
        values = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise TargetError(f"expected probabilities as numbers, got {type(answer).__name__}") from err
    if not values.ndim:
        raise TargetError(f"expected probabilities of shape (n, K), got a single {type(answer).__name__}")
    return values


def from_callable(
    function: Callable[[Any], Any], classes: Any = None, labels: Any = None, probe: Records | None = None
) -> FunctionScores:
    """Target for a callable.

    Args:
      function: ``X -> (n, K)`` probabilities.
      classes: ``(K,)`` labels in the order of the columns.
      labels: Labels of the records, to infer the classes from: 0 … K-1 if they are such integers, else their sorted
        values if there are K of them.
      probe: A few records to ask about once, so that K is known; without it K is the number of labels.

    Raises:
      TargetError: The classes cannot be told.
    """
    if classes is not None:
        return FunctionScores(function, np.asarray(classes))
    if labels is None:
        raise TargetError("expected the classes of the function, in the order of its columns: give classes=[…]")
    count = None
    if probe is not None:
        shape = as_numbers(answer_of(function, probe)).shape
        count = 2 if len(shape) == 1 or shape[1] == 1 else int(shape[1])
    return FunctionScores(function, infer_classes(labels, count))


def infer_classes(labels: Any, count: int | None = None) -> NDArray[Any]:
    """Classes in the order of the probability columns, from labels.

    Args:
      labels: Labels of the records, any shape.
      count: Number of probability columns, if known.

    Raises:
      TargetError: The labels leave it open.
    """
    seen = {_plain(value) for value in _unique(np.asarray(labels).ravel())[0]}
    whole = all(isinstance(value, int) for value in seen)
    if whole and seen and min(seen) >= 0:
        top = max(seen) + 1
        if count is not None and top <= count:
            return np.arange(count)
        if count is None and len(seen) == top and top > 1:
            return np.arange(top)
    if len(seen) == (count or len(seen)) and len(seen) > 1:
        try:
            return np.asarray(sorted(seen))
        except TypeError:  # labels of several types have no order
            pass
    columns = "an unknown number of" if count is None else str(count)
    raise TargetError(
        f"cannot tell which of {columns} probability columns belongs to which of {len(seen)} labels: give classes=[…] "
        "in the order of the columns"
    )
