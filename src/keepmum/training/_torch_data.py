"""Records as tensors, and the quiet in which models are trained on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._tensors import FAILURES, as_array, dtype_of, import_torch


@dataclass(frozen=True)
class Seeds:
    """Seeds of what is random in training, drawn from the model's own.

    Attributes:
      weights: Of the first weights.
      order: Of the order of the records.
      noise: Of whatever the module draws: dropout masks, most of all.
      augment: Of the changes to the records.
    """

    weights: int
    order: int
    noise: int
    augment: int

    @classmethod
    def of(cls, seed: int) -> Seeds:
        """The seeds of one model."""
        drawn = np.random.SeedSequence([seed, 0x746F7263]).generate_state(4, np.uint64)
        return cls(*(int(value) >> 1 for value in drawn))


@dataclass(frozen=True, eq=False)
class Pool:
    """All records as tensors.

    Attributes:
      X: ``(n, …)``; images with the channel last, if ``channels_last``.
      y: ``(n,)`` positions in ``classes``.
      classes: ``(K,)`` labels in the order of the logits.
      channels_last: Whether `batch` moves the last axis to the second place.
    """

    X: Any
    y: Any
    classes: NDArray[Any]
    channels_last: bool = False

    def batch(self, rows: Any) -> tuple[Any, Any]:
        """Records and labels, as a module is given them."""
        X = self.X.index_select(0, rows)
        return X.permute(0, 3, 1, 2) if self.channels_last else X, self.y.index_select(0, rows)


def pool_of(records: Records, module: Any, classes: tuple[Any, ...] | None, device: Any) -> Pool:
    """Records as tensors of the module's type, on the device.

    Raises:
      ConfigError: The classes cannot be told, or there are labels of other classes.
      TargetError: Records that are no numbers or that the module cannot take.
    """
    torch = import_torch()
    labels, y = np.unique(records.y, return_inverse=True)
    values = np.ascontiguousarray(as_array(records))
    values = values if values.flags.writeable else values.copy()  # torch warns of arrays that it must not write
    X = torch.from_numpy(values).to(dtype=dtype_of(module, None), device=device)
    if classes is not None:
        place = {label: position for position, label in enumerate(np.asarray(classes).tolist())}
        unknown = [label for label in labels.tolist() if label not in place]
        if unknown:
            raise ConfigError(f"expected labels among the classes that were given, got {unknown[0]!r}")
        y = np.array([place[label] for label in labels.tolist()], dtype=np.int64)[y]
        labels = np.asarray(classes)
    outputs = _outputs(module, X[:2], device)
    if classes is None and labels.dtype.kind in "iu" and (labels[0], labels[-1]) == (0, outputs - 1):
        y, labels = labels[y], np.arange(outputs)  # a class in between that nobody here belongs to
    if len(labels) != max(outputs, 2):
        raise ConfigError(
            f"expected as many classes as the module has outputs, {max(outputs, 2)}, got {len(labels)}: "
            "give classes=(…) in the order of the outputs"
        )
    wide = X.ndim == 4 and any(isinstance(part, torch.nn.Conv2d) for part in module.modules())
    X = X.permute(0, 2, 3, 1).contiguous() if wide else X.contiguous()
    return Pool(X, torch.as_tensor(y.reshape(-1).astype(np.int64), device=device), labels, wide)


def _outputs(module: Any, X: Any, device: Any) -> int:
    """How many numbers the module answers about a record."""
    torch = import_torch()
    try:
        with torch.no_grad():
            answer = module.to(device).eval()(X)
    except FAILURES as err:
        raise untrainable(err, len(X)) from err
    answer = getattr(answer, "logits", answer)
    return int(answer.shape[1]) if answer.ndim > 1 else 1


def untrainable(err: Exception, records: int) -> TargetError:
    """One line for what a module raised in training."""
    first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
    return TargetError(
        f"the module could not be trained on {records} of the audited records ({type(err).__name__}: {first}): give "
        "records in the shape that it takes"
    )


def device_named(name: str) -> Any:
    """A device; ``"auto"`` is the GPU where there is one."""
    torch = import_torch()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as err:
        raise ConfigError(f"cannot train on the device {name!r} ({str(err).splitlines()[0][:200]})") from err


@contextmanager
def quiet(device: Any) -> Iterator[None]:
    """One thread, torch's random numbers left as they were, and nothing smaller than 1e-38.

    Threads gain nothing on small matrices, and cost many times the work where processes share the cores. Momentum that
    fades away reaches numbers so small that each takes the processor a hundred times as long.
    """
    torch = import_torch()
    threads, flushed = torch.get_num_threads(), not bool((torch.full((16,), 1e-39) * 0.5).any())
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    try:
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        torch.set_flush_denormal(flushed)
        torch.set_num_threads(threads)


def draw_from(seed: int, device: Any) -> None:
    """Set torch's own random numbers, within `quiet`."""
    torch = import_torch()
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)


def built(build: Any, seed: int) -> Any:
    """A module with the first weights of a seed.

    Raises:
      ConfigError: What comes out is no module.
    """
    torch = import_torch()
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        module = build()
    if not isinstance(module, torch.nn.Module):
        raise ConfigError(f"expected build() to return a torch.nn.Module, got {type(module).__name__}")
    return module


def fresh(build: Any) -> tuple[Any, Any]:
    """Two modules of one seed.

    Raises:
      ConfigError: They share what is trained: each model would go on where the one before it stopped, having seen
        everybody, and the caller's own module would be trained.
    """
    first, again = built(build, 0), built(build, 0)
    shared = {id(value) for value in _changed(first)} & {id(value) for value in _changed(again)}
    if shared or first is again:
        raise ConfigError(
            "expected build() to make a new module each time, got one that shares its weights with the one before: "
            "make the layers inside, or return copy.deepcopy(…)"
        )
    return first, again


def _changed(module: Any) -> list[Any]:
    """Tensors that training changes."""
    return [*(value for value in module.parameters() if value.requires_grad), *module.buffers()]
