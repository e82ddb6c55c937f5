"""Answers that were recorded elsewhere: for models from R, SAS, or behind a wall."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import Floats, ScoreTarget, check_probabilities


class RecordedScores(ScoreTarget):
    """Probabilities written down beforehand, one row a record, looked up by record id.

    Args:
      answers: ``(n, K)`` probabilities; row ``i`` belongs to the record with id ``i``.
      classes: ``(K,)`` labels in the order of the columns.

    Raises:
      TargetError: The answers are no probabilities.
    """

    recorded = True

    def __init__(self, answers: NDArray[Any], classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._answers = check_probabilities(answers, len(answers), len(self.classes))
        self.notes.append("Recorded answers: the model itself was not at hand, so nothing beyond them could be asked.")

    def _predict_proba(self, records: Records) -> Floats:
        ids = records.ids
        if ids is None or (len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(self._answers)):
            raise TargetError("recorded answers know only the recorded records: this attack needs the model itself")
        answers: Floats = self._answers[ids]
        return answers
