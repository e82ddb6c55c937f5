"""Any callable that returns probabilities, labels' scores or values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.targets._base import Floats, ScoreTarget


class FunctionScores(ScoreTarget):
    """A function ``X -> (n, K)`` probabilities.

    Args:
      function: Called with the records as they came.
      classes: ``(K,)`` labels in the order of the columns.
    """

    def __init__(self, function: Callable[[Any], Any], classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._function = function

    def _predict_proba(self, records: Records) -> Floats:
        return np.asarray(self._function(records.X), dtype=np.float64)
