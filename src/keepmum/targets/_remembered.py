"""A target that remembers what it answered, so that a second attack costs no second query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.targets._base import Floats, GradientTarget, Indices, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets._remembered_text import remembered_text
from keepmum.targets.text import TextTarget


class _Memory:
    """Answers by record id."""

    def __init__(self) -> None:
        self.place = np.empty(0, dtype=np.intp)
        self.answers: Any = None

    def ask(self, records: Records, ask: Any) -> Any:
        if records.ids is None:
            return ask(records)
        top = int(records.ids.max(initial=-1)) + 1
        if top > len(self.place):
            self.place = np.r_[self.place, np.full(top - len(self.place), -1, dtype=np.intp)]
        unknown = np.flatnonzero(self.place[records.ids] < 0)
        if len(unknown):
            fresh = ask(records.take(unknown) if len(unknown) < len(records) else records)
            start = 0 if self.answers is None else len(self.answers)
            self.answers = fresh if self.answers is None else np.concatenate([self.answers, fresh])
            self.place[records.ids[unknown]] = np.arange(start, start + len(fresh))
        return self.answers[self.place[records.ids]]


class RememberedLabels(LabelTarget):
    """`LabelTarget` with a memory; `queries` counts what is asked of it, not what it has to pass on."""

    def __init__(self, inner: LabelTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.notes, self._memory = inner, inner.notes, _Memory()

    @property
    def internals(self) -> Any:
        return self.inner.internals

    def _predict(self, records: Records) -> Indices:
        answer: Indices = self._memory.ask(records, self.inner.predict)
        return answer


class RememberedScores(ScoreTarget):
    """`ScoreTarget` with a memory."""

    def __init__(self, inner: ScoreTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.notes, self._memory = inner, inner.notes, _Memory()

    @property
    def internals(self) -> Any:
        return self.inner.internals

    def _predict_proba(self, records: Records) -> Floats:
        answer: Floats = self._memory.ask(records, self.inner.predict_proba)
        return answer

    def _predict(self, records: Records) -> Indices:
        return super()._predict(records) if records.ids is not None else self.inner.predict(records)


class RememberedGradients(GradientTarget):
    """`GradientTarget` with a memory of its probabilities; gradients and activations are too large to keep."""

    def __init__(self, inner: GradientTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.notes, self._memory = inner, inner.notes, _Memory()

    @property
    def internals(self) -> Any:
        return self.inner.internals

    @property
    def layers(self) -> tuple[str, ...]:
        return self.inner.layers

    @property
    def parameters(self) -> int:
        return self.inner.parameters

    def _predict_proba(self, records: Records) -> Floats:
        answer: Floats = self._memory.ask(records, self.inner.predict_proba)
        return answer

    def _predict(self, records: Records) -> Indices:
        return super()._predict(records) if records.ids is not None else self.inner.predict(records)

    def _loss_gradients(self, records: Records, places: Indices) -> Iterator[NDArray[np.floating]]:
        self.inner.queries += len(records)
        return self.inner._loss_gradients(records, places)

    def _input_gradients(self, records: Records, places: Indices) -> NDArray[np.floating]:
        self.inner.queries += len(records)
        return self.inner._input_gradients(records, places)

    def _activations(self, records: Records, layer: str) -> NDArray[np.floating]:
        self.inner.queries += len(records)
        return self.inner._activations(records, layer)


class RememberedValues(RegressionTarget):
    """`RegressionTarget` with a memory."""

    def __init__(self, inner: RegressionTarget) -> None:
        super().__init__()
        self.inner, self.notes, self._memory = inner, inner.notes, _Memory()

    @property
    def internals(self) -> Any:
        return self.inner.internals

    def _predict_value(self, records: Records) -> Floats:
        answer: Floats = self._memory.ask(records, self.inner.predict_value)
        return answer


def remembered(target: Target) -> Target:
    """The same target behind a memory; a target of unknown kind is returned as it is."""
    if isinstance(target, TextTarget):
        return remembered_text(target)
    if isinstance(target, GradientTarget):
        return RememberedGradients(target)
    if isinstance(target, ScoreTarget):
        return RememberedScores(target)
    if isinstance(target, LabelTarget):
        return RememberedLabels(target)
    return RememberedValues(target) if isinstance(target, RegressionTarget) else target
