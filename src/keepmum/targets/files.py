"""Load a model from a file, safely: nothing in it is run, and a file that crashes its loader crashes nothing else.

.skops          keepmum's own list of types; tree nodes checked before use
.onnx           onnxruntime
.json .ubj      XGBoost
.txt            LightGBM
.pkl .joblib …  refused, because loading a pickle runs whatever its author wrote; `allow_pickle` asks the model
                in a worker process only
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import KeepmumError, TargetError, UnsafeFileError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets._formats import PICKLE_NAMES, Format, sniff
from keepmum.targets._loaders import open_model
from keepmum.targets._sandbox import Limits, Worker, WorkerDied
from keepmum.targets._wire import pack_records

PICKLE_NOTE = (
    "Loaded from a pickle, in a worker process with limits: loading ran code from the file, so the answers are only "
    "as trustworthy as whoever made it."
)


def load(
    path: str | os.PathLike[str], *, allow_pickle: bool = False, classes: Any = None, limits: Limits | None = None
) -> Target:
    """Load a model from a file of a safe format.

    Every file is first loaded in a worker process with limits, so that one that crashes, hangs or eats the memory is
    an error and not the end of the audit; this costs two to four seconds.

    Args:
      path: A ``.skops``, ``.onnx``, XGBoost ``.json``/``.ubj`` or LightGBM ``.txt`` file.
      allow_pickle: Load a pickle or joblib file in a worker process, which alone asks it; only for files of your own.
      classes: ``(K,)`` labels in the order of the probabilities, for formats that do not tell them; default 0 … K-1.
      limits: What the worker may use.

    Returns:
      A target, as far as the file can be asked: scores, labels or values.

    Raises:
      UnsafeFileError: The file is a pickle, damaged, crafted, or holds types that are not allowed.
      TargetError: No such file, a format that keepmum does not read, or a model that cannot be asked.
      MissingExtraError: The library for the format is not installed.
    """
    file, limits = Path(path), limits or Limits()
    kind = sniff(file)
    if kind is Format.PICKLE:
        if not allow_pickle:
            raise UnsafeFileError(pickle_refusal(file))
        return load_pickle(file, limits)
    facts_in_worker(file, kind, classes, limits)
    return open_model(file, kind, classes)


def pickle_refusal(path: Path) -> str:
    """Why a pickle is refused, and the command that converts it."""
    disguise = "" if path.suffix.lower() in PICKLE_NAMES else " (whatever its name says)"
    quote = "'" if "'" not in path.name and '"' not in path.name else ""
    source, result = (path.name, f"{path.stem}.skops") if quote else ("model.pkl", "model.skops")
    return (
        f"{path.name} is a pickle{disguise}, and loading one runs whatever code it holds: where the model was trained, "
        f"run  python -c \"import joblib, skops.io; skops.io.dump(joblib.load('{source}'), '{result}')\"  and audit "
        f"{result}"
    )


def facts_in_worker(path: Path, kind: Format, classes: Any, limits: Limits) -> dict[str, Any]:
    """Load the file in a worker, and bring back plain facts about it.

    Raises:
      UnsafeFileError: The file crashed, hung or exhausted the worker, or was refused there.
    """
    order = {
        "mode": "try",
        "path": str(path.resolve()),
        "format": kind.name,
        "classes": None if classes is None else np.asarray(classes).tolist(),
    }
    worker = Worker(order, limits)
    try:
        return worker.hear(limits.load_seconds)[0]
    except WorkerDied as err:
        raise UnsafeFileError(
            f"{path.name} was tried in a worker process, which {err}: refused; save it again"
        ) from err
    finally:
        worker.close()


def load_pickle(path: Path, limits: Limits) -> Target:
    """Target that stands for a pickle in a worker process.

    Raises:
      TargetError: The worker ended, or the pickle holds no model.
    """
    worker = Worker({"mode": "serve", "path": str(path.resolve())}, limits)
    try:
        told = worker.hear(limits.load_seconds)[0]
    except WorkerDied as err:
        raise TargetError(f"{path.name} could not be loaded: the worker process {err}") from err
    except KeepmumError:
        worker.close()
        raise
    link = _Link(worker, limits)
    kinds = {kind.access: kind for kind in (PickledScores, PickledLabels)}
    target: Target
    if told.get("access") == PickledValues.access:
        target = PickledValues(link)
    elif told.get("access") in kinds and isinstance(told.get("classes"), list):
        target = kinds[told["access"]](link, np.asarray(told["classes"]))
    else:
        worker.close()
        raise TargetError(f"{path.name} holds no model that keepmum can ask")
    target.notes += [PICKLE_NOTE, *(str(note)[:500] for note in told.get("notes", []))]
    return target


class _Link:
    """The way to a worker; the worker ends with it."""

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self._worker, self._limits, self._closed = worker, limits, False
        self._end = weakref.finalize(self, worker.close)

    def ask(self, records: Records, verb: str) -> NDArray[Any]:
        if not self._end.alive:
            raise TargetError("the worker process that holds the pickled model has ended: load the model again")
        try:
            self._worker.tell(pack_records(records, verb), self._limits.answer_seconds)
            arrays = self._worker.hear(self._limits.answer_seconds)[1]
        except WorkerDied as err:
            self._end()
            raise TargetError(f"the pickled model could not answer: its worker process {err}") from err
        if "answer" not in arrays:
            raise TargetError("the pickled model could not answer: its worker process sent what is no answer")
        return arrays["answer"]


class PickledScores(ScoreTarget):
    """Probabilities from a worker process."""

    def __init__(self, link: _Link, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._link = link

    def _predict_proba(self, records: Records) -> Floats:
        return np.asarray(self._link.ask(records, "scores"), dtype=np.float64)


class PickledLabels(LabelTarget):
    """Labels from a worker process."""

    def __init__(self, link: _Link, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._link = link

    def _predict(self, records: Records) -> Indices:
        answer = np.asarray(self._link.ask(records, "labels"))
        if answer.dtype.kind not in "iu" or (answer < 0).any() or (answer >= len(self.classes)).any():
            raise TargetError("the pickled model's worker process named classes that are not there")
        return answer.astype(np.intp)


class PickledValues(RegressionTarget):
    """Values from a worker process."""

    def __init__(self, link: _Link) -> None:
        super().__init__()
        self._link = link

    def _predict_value(self, records: Records) -> Floats:
        return np.asarray(self._link.ask(records, "values"), dtype=np.float64)
