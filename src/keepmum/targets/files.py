"""Load a model from a file, safely: nothing in it is run, and a file that crashes its loader crashes nothing else.

.skops          keepmum's own list of types; tree nodes checked before use
.onnx           onnxruntime
.json .ubj      XGBoost
.txt            LightGBM
.safetensors    weights of a torch module, which the user's own code builds; so is a state dict from torch.save
.pkl .joblib …  refused, because loading a pickle runs whatever its author wrote; `allow_pickle` asks the model
                in a worker process only. So are torch.export archives, which hold pickles, and TorchScript, whose
                programs may write files
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.choices import Gives
from keepmum.data import Records
from keepmum.errors import ConfigError, KeepmumError, TargetError, UnsafeFileError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets._formats import PICKLE_NAMES, Format, sniff
from keepmum.targets._loaders import open_model
from keepmum.targets._sandbox import Limits, Worker, WorkerDied
from keepmum.targets._wire import pack_records

PICKLE_NOTE = (
    "Loaded from a pickle, in a worker process with limits: loading ran code from the file, so the answers are only "
    "as trustworthy as whoever made it."
)
PROGRAM_NOTE = (
    "Loaded from a {kind} file, in a worker process with limits: it is a program, so the answers are only as "
    "trustworthy as whoever made it; weights and gradients stay out of sight."
)
MOST_NOTES = 20
"""Sentences that a worker may add to a report."""


@dataclass(frozen=True, eq=False)
class Opening:
    """How a model file is to be opened; see `load`.

    Attributes:
      allow_pickle: Whether files that run code may be loaded, in a worker process.
      classes: ``(K,)`` labels in the order of the answers, or None.
      limits: What the worker may use.
      factory: What builds the module that weights belong to, or where to import it from; None if none is needed.
      gives: What a torch module gives, ``"logits"`` or ``"probabilities"``.
      labels: Labels of the records, from which the classes of a torch module are inferred; None if they are given.
      probe: A few records to ask such a module about once, so that its number of classes is known.
    """

    allow_pickle: bool = False
    classes: Any = None
    limits: Limits = field(default_factory=Limits)
    factory: str | Callable[[], Any] | None = None
    gives: str = Gives.LOGITS
    labels: Any = None
    probe: Records | None = None

    def __post_init__(self) -> None:
        if self.gives not in list(Gives):
            raise ConfigError(f"expected a module that gives {' or '.join(Gives)}, got {self.gives!r}")


def load(
    path: str | os.PathLike[str],
    *,
    allow_pickle: bool = False,
    classes: Any = None,
    limits: Limits | None = None,
    factory: str | Callable[[], Any] | None = None,
    gives: str = "logits",
) -> Target:
    """Load a model from a file of a safe format.

    Every file is first loaded in a worker process with limits, so that one that crashes, hangs or eats the memory is
    an error and not the end of the audit; this costs two to four seconds.

    Args:
      path: A ``.skops``, ``.onnx``, XGBoost ``.json``/``.ubj`` or LightGBM ``.txt`` file; or weights of a torch module,
        ``.safetensors`` or a state dict that ``torch.save`` wrote.
      allow_pickle: Load a file that runs code (pickle, joblib, TorchScript, torch.export) in a worker process, which
        alone asks it; only for files of your own.
      classes: ``(K,)`` labels in the order of the probabilities, for formats that do not tell them; default 0 … K-1,
        except for torch modules, which need them.
      limits: What the worker may use.
      factory: For weights: your own function that builds the module, called without arguments; or where to import it
        from, ``"package.module:function"``, in the working directory or among the installed packages.
      gives: What a torch module gives: ``"logits"`` or ``"probabilities"``.

    Returns:
      A target, as far as the file can be asked: gradients, scores, labels or values.

    Raises:
      UnsafeFileError: The file is a pickle, damaged, crafted, or holds types that are not allowed.
      ConfigError: A factory that is not there, or one for a file that needs none.
      TargetError: No such file, a format that keepmum does not read, weights that do not fit the module, or a model
        that cannot be asked.
      MissingExtraError: The library for the format is not installed.
    """
    how = Opening(allow_pickle, classes, limits or Limits(), factory, gives)
    return opened(Path(path), how)


def opened(file: Path, how: Opening) -> Target:
    """Target for a model file; see `load` for what is raised."""
    kind = sniff(file)
    _suits(file, kind, how)
    if kind.runs_code:
        if not how.allow_pickle:
            raise UnsafeFileError(code_refusal(file, kind))
        return load_pickle(file, how.limits, kind, how)
    if kind.is_weights:
        return _module(file, kind, how)
    facts_in_worker(file, kind, how.classes, how.limits)
    return open_model(file, kind, how.classes)


def _suits(file: Path, kind: Format, how: Opening) -> None:
    """Refuse options that the file cannot have.

    Raises:
      ConfigError: A factory for what is no weights, or probabilities from what is no torch module.
    """
    if how.factory is not None and not kind.is_weights:
        raise ConfigError(f"{file.name} is a whole model ({kind.value}), which no factory builds: leave factory out")
    if how.gives != Gives.LOGITS and not kind.is_weights and kind not in (Format.TORCHSCRIPT, Format.EXPORTED):
        raise ConfigError(f"{file.name} is no torch module ({kind.value}): leave out that it gives {how.gives}")


def _module(file: Path, kind: Format, how: Opening) -> Target:
    """Target for weights, in the module that the factory builds."""
    from keepmum.targets._weights import filled, saving
    from keepmum.targets.torch import from_module

    if how.factory is None:
        remedy = f", or {saving(file)}" if kind is Format.TORCH else ""
        raise UnsafeFileError(
            f"{file.name} is a {kind.value} file, of which keepmum reads weights alone: say which function builds the "
            f"module (--factory pkg.module:function, factory=){remedy}"
        )
    facts_in_worker(file, kind, None, how.limits)
    return from_module(filled(file, kind, how.factory), how.classes, how.labels, how.probe, gives=how.gives)


def code_refusal(path: Path, kind: Format) -> str:
    """Why a file that runs code is refused, and what to do."""
    if kind is Format.PICKLE:
        return pickle_refusal(path)
    why = {
        Format.EXPORTED: "a torch.export archive, and loading one may unpickle what it holds and run whatever code",
        Format.TORCHSCRIPT: "TorchScript, a program of its author's that may read and write files when it is asked",
    }[kind]
    return (
        f"{path.name} is {why}: save its weights where the model was trained, with safetensors.torch.save_file("
        "module.state_dict(), 'model.safetensors'), and give --factory pkg.module:function, or export it to ONNX; for "
        "a file of your own, --allow-pickle asks it in a worker process"
    )


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


def load_pickle(path: Path, limits: Limits, kind: Format = Format.PICKLE, how: Opening | None = None) -> Target:
    """Target that stands for a model in a worker process.

    Args:
      path: A pickle, or another file that runs code.
      limits: What the worker may use.
      kind: What the file is.
      how: What a torch module's classes are and what it gives.

    Raises:
      TargetError: The worker ended, or the file holds no model.
    """
    order: dict[str, Any] = {"mode": "serve", "path": str(path.resolve()), "format": kind.name}
    if how is not None and kind is not Format.PICKLE:
        order |= {"classes": _classes(how), "gives": str(how.gives)}
    worker = Worker(order, limits)
    try:
        told = worker.hear(limits.load_seconds)[0]
    except WorkerDied as err:
        raise TargetError(f"{path.name} could not be loaded: the worker process {err}") from err
    except KeepmumError:
        worker.close()
        raise
    link = _Link(worker, limits)
    kinds = {one.access: one for one in (PickledScores, PickledLabels)}
    target: Target
    if told.get("access") == PickledValues.access:
        target = PickledValues(link)
    elif told.get("access") in kinds and isinstance(told.get("classes"), list):
        target = kinds[told["access"]](link, np.asarray(told["classes"]))
    else:
        worker.close()
        raise TargetError(f"{path.name} holds no model that keepmum can ask")
    note = PICKLE_NOTE if kind is Format.PICKLE else PROGRAM_NOTE.format(kind=kind.value)
    target.notes.append(note)
    link.tell(target.notes)
    link.note(told)
    return target


def _classes(how: Opening) -> list[Any]:
    """Classes of a torch module in a worker, which sees no labels.

    Raises:
      TargetError: They are not given and cannot be inferred.
    """
    from keepmum.targets.function import infer_classes

    if how.classes is None and how.labels is None:
        raise TargetError("expected the classes of the module, in the order of its logits: give classes=[…]")
    found = how.classes if how.classes is not None else infer_classes(how.labels)
    return [label.item() if isinstance(label, np.generic) else label for label in np.asarray(found).tolist()]


class _Link:
    """The way to a worker; the worker ends with it."""

    def __init__(self, worker: Worker, limits: Limits) -> None:
        self._worker, self._limits, self._notes = worker, limits, list[str]()
        self._end = weakref.finalize(self, worker.close)

    def tell(self, notes: list[str]) -> None:
        """Where to put what the worker says about the model besides its answers."""
        self._notes = notes

    def note(self, told: dict[str, Any]) -> None:
        """Keep what is new of that."""
        said = told.get("notes", [])
        fresh = [str(note)[:500] for note in said[:MOST_NOTES]] if isinstance(said, list) else []
        self._notes += [note for note in fresh if note not in self._notes]

    def ask(self, records: Records, verb: str) -> NDArray[Any]:
        if not self._end.alive:
            raise TargetError("the worker process that holds the pickled model has ended: load the model again")
        try:
            self._worker.tell(pack_records(records, verb), self._limits.answer_seconds)
            told, arrays = self._worker.hear(self._limits.answer_seconds)
        except WorkerDied as err:
            self._end()
            raise TargetError(f"the pickled model could not answer: its worker process {err}") from err
        if "answer" not in arrays:
            raise TargetError("the pickled model could not answer: its worker process sent what is no answer")
        self.note(told)
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
