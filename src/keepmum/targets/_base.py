"""The access ladder: what can be asked of a model decides which attacks can be played.

    Target
    ├── LabelTarget        label-only   predict
    │   └── ScoreTarget    scores       predict_proba
    │       └── GradientTarget   gradients   (white-box; the model's own internals)
    └── RegressionTarget   values       predict_value

A target is asked about `Records`, counts every row that it is asked about, and checks every answer at the door.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import DataError, TargetError

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

SUM_TOLERANCE = 0.05
"""How far a row of probabilities may be from 1: wide enough for answers rounded to one decimal."""


class Target(ABC):  # noqa: B024  what can be asked is abstract on each rung
    """A model as far as it can be reached.

    Attributes:
      access: The threat model in words, as findings quote it.
      queries: Rows that the target has been asked about so far.
      notes: What a reader of the report should know about this target, one sentence each.
      recorded: Whether it knows only the answers about some records, and nothing else can be asked.
    """

    access: ClassVar[str] = "none"
    recorded: ClassVar[bool] = False

    def __init__(self) -> None:
        self.queries = 0
        self.notes: list[str] = []

    @property
    def internals(self) -> Any:
        """The fitted model itself where it is at hand (white-box), else None."""
        return None


class LabelTarget(Target):
    """Tells which class a record belongs to, and nothing else.

    Attributes:
      classes: ``(K,)`` labels, in the order of the probability columns.
    """

    access: ClassVar[str] = "label-only"

    def __init__(self, classes: NDArray[Any]) -> None:
        super().__init__()
        self.classes = np.asarray(classes)
        if self.classes.ndim != 1 or len(self.classes) < 2:
            raise TargetError(f"expected a model of at least two classes, got {self.classes.tolist()}")
        self._position = {_plain(label): i for i, label in enumerate(self.classes)}
        if len(self._position) < len(self.classes):
            raise TargetError(f"expected classes that differ, got {self.classes.tolist()}: give each label once")

    @final
    def predict(self, records: Records) -> Indices:
        """Predicted classes as positions in `classes`, shape ``(n,)``."""
        self.queries += len(records)
        if not len(records):
            return np.empty(0, dtype=np.intp)
        answer = np.asarray(self._predict(records))
        if answer.shape != (len(records),):
            raise TargetError(f"expected predictions of shape ({len(records)},), got {answer.shape}")
        return answer.astype(np.intp)

    @abstractmethod
    def _predict(self, records: Records) -> Indices: ...

    def knows(self, labels: NDArray[Any]) -> NDArray[np.bool_]:
        """Which of these labels are among `classes`, shape ``(n,)``."""
        return np.fromiter((_plain(v) in self._position for v in labels.tolist()), dtype=bool, count=len(labels))

    def positions(self, labels: NDArray[Any]) -> Indices:
        """Positions of labels in `classes`, shape ``(n,)``.

        Raises:
          DataError: A label that the model does not know.
        """
        values, inverse = np.unique(labels, return_inverse=True) if labels.dtype.kind != "O" else _unique(labels)
        places = [self._position.get(_plain(value), -1) for value in values]
        unknown = [_plain(v) for v, place in zip(values, places, strict=True) if place < 0]
        if unknown:
            known = ", ".join(repr(_plain(c)) for c in self.classes[:8])
            raise DataError(
                f"label {unknown[0]!r} was not seen in training (the model knows {known}"
                f"{' …' if len(self.classes) > 8 else ''}): give labels as the model was trained on"
            )
        return np.asarray(places, dtype=np.intp)[inverse]


class ScoreTarget(LabelTarget):
    """Tells a probability for each class."""

    access: ClassVar[str] = "scores"

    @final
    def predict_proba(self, records: Records) -> Floats:
        """Class probabilities, shape ``(n, K)``.

        Raises:
          TargetError: The answers are no probabilities: wrong shape, missing, negative, or rows far from 1.
        """
        self.queries += len(records)
        if not len(records):
            return np.empty((0, len(self.classes)))
        return check_probabilities(self._predict_proba(records), len(records), len(self.classes))

    @abstractmethod
    def _predict_proba(self, records: Records) -> Floats: ...

    def _predict(self, records: Records) -> Indices:
        answers = check_probabilities(self._predict_proba(records), len(records), len(self.classes))
        return np.asarray(answers.argmax(axis=1), dtype=np.intp)


class GradientTarget(ScoreTarget):
    """A model whose internals are open: gradients, activations, parameters.

    The loss is the cross-entropy of one record under its own label, in nats; to ask about another class, ask about
    records with that label.
    """

    access: ClassVar[str] = "gradients"

    @property
    @abstractmethod
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose activations can be read, from input to output."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters ``p`` that gradients are taken with respect to."""

    @final
    def loss_gradients(self, records: Records) -> NDArray[np.floating]:
        """Gradient of each record's loss with respect to the parameters, shape ``(n, p)``, in the model's precision."""
        blocks = list(self._blocks(records))
        return np.concatenate(blocks) if blocks else np.empty((0, self.parameters))

    @final
    def gradient_norms(self, records: Records) -> Floats:
        """Euclidean norm of each record's `loss_gradients`, shape ``(n,)``; all of them are never held at once."""
        norms = [np.linalg.norm(block.astype(np.float64, copy=False), axis=1) for block in self._blocks(records)]
        return _finite(np.concatenate(norms) if norms else np.empty(0), (len(records),))

    @final
    def input_gradients(self, records: Records) -> Floats:
        """Gradient of each record's loss with respect to the record, in the shape of ``records.X``."""
        places = self.positions(records.y)
        self.queries += len(records)
        shape = tuple(records.X.shape)
        return _finite(self._input_gradients(records, places) if len(records) else np.empty(shape), shape)

    @final
    def activations(self, records: Records, layer: str) -> Floats:
        """What a layer puts out for each record, flattened to shape ``(n, width)``.

        Raises:
          TargetError: There is no such layer.
        """
        if layer not in self.layers:
            some = ", ".join(self.layers[:8])
            raise TargetError(f"expected a layer of the model ({some}{' …' * (len(self.layers) > 8)}), got {layer!r}")
        self.queries += len(records)
        if not len(records):
            return np.empty((0, 0))
        values = np.asarray(self._activations(records, layer), dtype=np.float64)
        return _finite(values.reshape(len(records), -1), (len(records), values.size // len(records)))

    def _blocks(self, records: Records) -> Iterator[NDArray[np.floating]]:
        places = self.positions(records.y)
        self.queries += len(records)
        if len(records):
            yield from self._loss_gradients(records, places)

    @abstractmethod
    def _loss_gradients(self, records: Records, places: Indices) -> Iterator[NDArray[np.floating]]:
        """Blocks of rows of shape ``(…, p)``, small enough to be held in memory."""

    @abstractmethod
    def _input_gradients(self, records: Records, places: Indices) -> NDArray[np.floating]: ...

    @abstractmethod
    def _activations(self, records: Records, layer: str) -> NDArray[np.floating]: ...


class RegressionTarget(Target):
    """Tells a number for each record."""

    access: ClassVar[str] = "values"

    @final
    def predict_value(self, records: Records) -> Floats:
        """Predicted values, shape ``(n,)``.

        Raises:
          TargetError: Wrong shape, or answers that are not finite.
        """
        self.queries += len(records)
        if not len(records):
            return np.empty(0)
        answer = np.asarray(self._predict_value(records), dtype=np.float64)
        if answer.ndim == 2 and answer.shape[1] == 1:
            answer = answer[:, 0]
        if answer.shape != (len(records),):
            raise TargetError(f"expected predictions of shape ({len(records)},), got {answer.shape}")
        if not np.isfinite(answer).all():
            raise TargetError("expected finite predictions, got NaN or infinity: check the model on these records")
        return answer

    def values(self, labels: NDArray[Any]) -> Floats:
        """Labels as numbers, shape ``(n,)``.

        Raises:
          DataError: Labels that are no finite numbers.
        """
        try:
            numbers = labels.astype(np.float64)
        except (TypeError, ValueError):
            numbers = np.array([np.nan])
        if not np.isfinite(numbers).all():
            raise DataError("expected finite numbers as labels, since the model predicts values, got others")
        return numbers

    @abstractmethod
    def _predict_value(self, records: Records) -> Floats: ...


def answers(target: Target, records: Records) -> NDArray[Any]:
    """The most that a target tells about records: probabilities, labels or values; nothing from other kinds."""
    if isinstance(target, ScoreTarget):
        return target.predict_proba(records)
    if isinstance(target, LabelTarget):
        return target.predict(records)
    return target.predict_value(records) if isinstance(target, RegressionTarget) else np.empty(0)


def labels_known(target: Target, records: Records) -> NDArray[np.bool_]:
    """Which records have a label that means something to a target, ``(n,)``: one of its classes; a finite number."""
    if isinstance(target, LabelTarget):
        return target.knows(records.y)
    if not isinstance(target, RegressionTarget):
        return np.ones(len(records), dtype=bool)
    numbers = [value if isinstance(value, (bool, int, float)) else np.nan for value in records.y.tolist()]
    return np.isfinite(np.asarray(numbers, dtype=np.float64))


def check_probabilities(answer: Any, rows: int, classes: int) -> Floats:
    """Probabilities of shape ``(rows, classes)``; a single column is read as that of the second class.

    Raises:
      TargetError: Anything else.
    """
    try:
        values = np.asarray(answer, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise TargetError(f"expected probabilities as numbers, got {type(answer).__name__}") from err
    if classes == 2 and values.shape in ((rows,), (rows, 1)):
        values = np.column_stack([1 - values.reshape(rows), values.reshape(rows)])
    if values.shape != (rows, classes):
        raise TargetError(f"expected probabilities of shape ({rows}, {classes}), got {values.shape}")
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise TargetError(f"expected finite probabilities, got NaN or infinity in {int(bad.sum())} of {rows} rows")
    if values.size and (values.min() < -1e-6 or values.max() > 1 + 1e-6):
        raise TargetError(
            f"expected probabilities between 0 and 1, got {values.min():.4g} … {values.max():.4g}: "
            "if these are logits, apply softmax first"
        )
    sums = values.sum(axis=1)
    off = np.abs(sums - 1) > SUM_TOLERANCE
    if off.any():
        raise TargetError(
            f"expected rows of probabilities that sum to 1, got {float(sums[off][0]):.4g} in the first of "
            f"{int(off.sum())} rows that do not: give one column for each class"
        )
    return np.clip(values, 0.0, 1.0)


def _finite(values: NDArray[np.floating], shape: tuple[int, ...]) -> Floats:
    """What the inside of a model says, held to the shape that was asked for."""
    if values.shape != shape:
        raise TargetError(f"expected values of shape {shape} from inside the model, got {values.shape}")
    if not np.isfinite(values).all():
        raise TargetError("expected finite gradients and activations, got NaN or infinity: check model and records")
    return np.asarray(values, dtype=np.float64)


def _plain(label: Any) -> Any:
    """The same label for 1, 1.0, np.int64(1) and True; text as text."""
    value = label.item() if isinstance(label, np.generic) else label
    if isinstance(value, (bool, int, float)) and float(value).is_integer():
        return int(value)
    return value


def _unique(labels: NDArray[Any]) -> tuple[list[Any], Indices]:
    seen: dict[Any, int] = {}
    inverse = np.fromiter((seen.setdefault(v, len(seen)) for v in labels.tolist()), dtype=np.intp, count=len(labels))
    return list(seen), inverse
