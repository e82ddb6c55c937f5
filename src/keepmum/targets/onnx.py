"""ONNX models, asked through onnxruntime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records, column_names
from keepmum.errors import DataError, MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets import _protobuf
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget

_TYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
    "tensor(string)": object,
}
_BATCH = 10_000


class Session:
    """An onnxruntime session, fed with records.

    Args:
      session: The session.
      name: The file's name, for messages.
    """

    def __init__(self, session: Any, name: str) -> None:
        self._session, self.name = session, name
        self.inputs, self.outputs = session.get_inputs(), session.get_outputs()
        unknown = [i.type for i in self.inputs if i.type not in _TYPES]
        if unknown:
            raise TargetError(f"expected number or text inputs in {name}, got {unknown[0]}")

    def ask(self, records: Records, output: str) -> list[Any]:
        """The raw answers of one output, one item a batch."""
        return [answers[0] for answers in self.ask_all(records, (output,))]

    def ask_all(self, records: Records, outputs: tuple[str, ...]) -> list[list[Any]]:
        """The raw answers of several outputs, one list a batch."""
        feeds = self._feeds(records)
        return [self._run(feeds, rows, outputs) for rows in self._batches(len(records))]

    def _run(self, feeds: dict[str, NDArray[Any]], rows: slice, outputs: tuple[str, ...]) -> list[Any]:
        try:
            return list(self._session.run(outputs, {name: values[rows] for name, values in feeds.items()}))
        except _failures() as err:
            first = (str(err).strip().splitlines() or [""])[0][:200]
            raise TargetError(f"the ONNX model could not answer about these records ({first})") from err

    def _batches(self, n: int) -> Iterator[slice]:
        """Rows at a time: as many as the model takes."""
        fixed = {i.shape[0] for i in self.inputs if i.shape and isinstance(i.shape[0], int)}
        step = fixed.pop() if len(fixed) == 1 else _BATCH
        if n % step and step != _BATCH and step > 1:
            raise TargetError(f"expected an ONNX model for any number of rows, got one for {step} at a time")
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def _feeds(self, records: Records) -> dict[str, NDArray[Any]]:
        if len(self.inputs) == 1:
            only = self.inputs[0]
            width = None if len(only.shape) < 2 else only.shape[1]
            return {only.name: _matrix(records, slice(None), only.type, width)}
        names = column_names(records.X)
        if {i.name for i in self.inputs} <= set(names):
            places = [slice(names.index(i.name), names.index(i.name) + 1) for i in self.inputs]
        else:
            places = self._by_width(len(names))
        return {i.name: _matrix(records, where, i.type, None) for i, where in zip(self.inputs, places, strict=True)}

    def _by_width(self, columns: int) -> list[slice]:
        """Inputs take the columns in turn, each as many as its shape says."""
        widths = [i.shape[1] if len(i.shape) > 1 and isinstance(i.shape[1], int) else 1 for i in self.inputs]
        if sum(widths) != columns:
            wanted = ", ".join(i.name for i in self.inputs[:8])
            raise DataError(f"the ONNX model takes {sum(widths)} columns ({wanted}), the records have {columns}")
        ends = np.cumsum(widths)
        return [slice(int(end) - width, int(end)) for end, width in zip(ends, widths, strict=True)]


def _failures() -> tuple[type[Exception], ...]:
    """What onnxruntime raises; its errors have no common base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = (v for v in vars(state).values() if isinstance(v, type) and issubclass(v, Exception))
    return (ValueError, RuntimeError, *own)


def _matrix(records: Records, where: slice, kind: str, width: Any) -> NDArray[Any]:
    """Columns of the records as one matrix of the type that the model takes."""
    X, dtype = records.X, _TYPES[kind]
    if isinstance(X, np.ndarray):
        values = X[:, where] if X.ndim == 2 else X
    elif hasattr(X, "tocsr"):
        values = X.toarray()[:, where]
    else:
        values = np.column_stack([records.column(name) for name in column_names(X)[where]])
    if isinstance(width, int) and values.ndim == 2 and values.shape[1] != width:
        raise DataError(f"the ONNX model takes {width} columns, the records have {values.shape[1]}")
    if values.ndim == 1:
        values = values.reshape(-1, 1)
    try:
        return values.astype(str).astype(object) if dtype is object else values.astype(dtype)
    except (ValueError, TypeError) as err:
        raise DataError(f"the ONNX model takes {kind} in columns that hold something else ({err})") from err


class OnnxScores(ScoreTarget):
    """An ONNX classifier with probabilities.

    Args:
      session: The model.
      outputs: Name of the output that holds them, a tensor or a list of ``{label: probability}``; or one name a class.
      classes: ``(K,)`` labels.
    """

    def __init__(self, session: Session, outputs: tuple[str, ...], classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._session, self._outputs = session, outputs

    def _predict_proba(self, records: Records) -> Floats:
        if len(self._outputs) > 1:
            parts = self._session.ask_all(records, self._outputs)
            return np.asarray(np.concatenate([np.column_stack([np.ravel(c) for c in part]) for part in parts]))
        batches = self._session.ask(records, self._outputs[0])
        if isinstance(batches[0], list):
            labels = [label.item() if isinstance(label, np.generic) else label for label in self.classes]
            return np.asarray([[row.get(label, 0.0) for label in labels] for rows in batches for row in rows])
        return np.asarray(np.concatenate(batches), dtype=np.float64)


class OnnxLabels(LabelTarget):
    """An ONNX classifier that tells labels only."""

    def __init__(self, session: Session, output: str, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._session, self._output = session, output

    def _predict(self, records: Records) -> Indices:
        return self.positions(np.concatenate([np.ravel(b) for b in self._session.ask(records, self._output)]))


class OnnxValues(RegressionTarget):
    """An ONNX regressor."""

    def __init__(self, session: Session, output: str) -> None:
        super().__init__()
        self._session, self._output = session, output

    def _predict_value(self, records: Records) -> Floats:
        return np.asarray(np.concatenate(self._session.ask(records, self._output)), dtype=np.float64)


def load_onnx(path: Path, classes: Any = None) -> LabelTarget | RegressionTarget:
    """Target for an ONNX file: probabilities where it gives them, else labels, else values.

    Raises:
      UnsafeFileError: The file is damaged, or reads other files.
      TargetError: Outputs that are none of these, or classes that it does not tell.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("onnxruntime", "onnx") from err

    content = path.read_bytes()
    try:
        found = _protobuf.scan(content)
    except ValueError as err:
        raise UnsafeFileError(f"{path.name} is no whole ONNX model ({err}): copy it again, or export it again") from err
    if found.external:
        raise UnsafeFileError(f"{path.name} reads its numbers from other files: save it as one file")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _failures() as err:
        first = (str(err).strip().splitlines() or [""])[0][:200]
        raise UnsafeFileError(f"{path.name} is no ONNX model that onnxruntime can run ({first})") from err
    return _target(Session(session, path.name), found.labels, classes)


def _target(session: Session, labels: list[tuple[str, list[Any]]], classes: Any) -> LabelTarget | RegressionTarget:
    for output in session.outputs:
        if output.type.startswith("seq(map("):
            told = [found for operator, found in labels if operator == "ZipMap"]
            return OnnxScores(session, (output.name,), _known(classes, told, session.name))
    floats = [o for o in session.outputs if o.type in ("tensor(float)", "tensor(double)", "tensor(float16)")]
    others = [o for o in session.outputs if o.type in ("tensor(int64)", "tensor(int32)", "tensor(string)")]
    told = [found for _, found in labels]
    if floats and (classes is not None or others or len(floats) > 1 or (_width(floats[0]) or 1) > 1):
        names, width = _probabilities(session.name, floats)
        fitting = [found for found in told if width is None or len(found) == width]
        if not fitting and width is not None and width > 1 and not any("string" in o.type for o in others):
            fitting = [list(range(width))]
        return OnnxScores(session, names, _known(classes, fitting, session.name))
    if floats:
        return OnnxValues(session, floats[0].name)
    if others:
        return OnnxLabels(session, others[0].name, _known(classes, told, session.name))
    raise TargetError(f"expected probabilities, labels or values from {session.name}, got {session.outputs[0].type}")


def _probabilities(name: str, floats: list[Any]) -> tuple[tuple[str, ...], int | None]:
    """Outputs that hold the probabilities, and their number of columns if it is told."""
    if len(floats) > 1 and all((_width(o) or 1) == 1 for o in floats):
        return tuple(o.name for o in floats), len(floats)
    chosen = floats if len(floats) == 1 else [o for o in floats if "prob" in o.name.lower()]
    if len(chosen) != 1:
        shown = ", ".join(o.name for o in floats[:6])
        raise TargetError(f"expected one output of probabilities from {name}, got {shown}: export that one alone")
    return (chosen[0].name,), _width(chosen[0])


def _width(output: Any) -> int | None:
    return output.shape[1] if len(output.shape) == 2 and isinstance(output.shape[1], int) else None


def _known(classes: Any, told: list[list[Any]], name: str) -> NDArray[Any]:
    """The labels: as given, else as the file tells them, if it tells one thing."""
    if classes is not None:
        return np.asarray(classes)
    if not told or any(found != told[0] for found in told):
        raise TargetError(f"{name} does not tell its classes: give them in the order of its probabilities (classes=)")
    return np.asarray(told[0])
