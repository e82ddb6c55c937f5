"""What decides a module that has not been trained yet, as text."""

from __future__ import annotations

import hashlib
import types
from collections.abc import Callable
from typing import Any

from keepmum.errors import ConfigError
from keepmum.training._canonical import canonical
from keepmum.training._torch_data import built

SIMPLE = (bool, int, float, str, tuple, type(None))
NOISE = ("__firstlineno__", "__static_attributes__", "__qualname__")
HIDDEN = ("_parameters", "_buffers", "_modules", "training")


def key_of_build(build: Callable[[], Any]) -> str:
    """Hash of what a function builds: layers, their settings and code, and the first weights of one seed.

    The function's own code would not tell a changed global, nor weights that it reads from a file; what it returns
    does.

    Raises:
      ConfigError: It returns no module, or another one each time.
    """
    first, again = (built(build, 0) for _ in range(2))
    if _weights(first) != _weights(again):
        raise ConfigError(
            "expected build() to take its random numbers from torch alone, so that the seed decides the first weights: "
            "got other weights from the same seed"
        )
    parts = [repr(first), _weights(first), *map(_settings, first.modules())]
    parts += [_class(kind) for kind in _classes(first)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _weights(module: Any) -> str:
    import torch

    seen = hashlib.sha256()
    for name, value in module.state_dict().items():
        seen.update(f"{name} {value.dtype} {tuple(value.shape)} ".encode())
        seen.update(value.detach().cpu().contiguous().flatten().view(dtype=torch.uint8).numpy().tobytes())
    trained = [name for name, value in module.named_parameters() if value.requires_grad]
    return f"{seen.hexdigest()} {trained}"


def _settings(part: Any) -> str:
    """Attributes of one layer that are no weights; of torch's own layers the plain ones alone."""
    mine = {name: value for name, value in vars(part).items() if name not in HIDDEN and not name.endswith("_hooks")}
    if _is_torch(type(part)):
        mine = {name: value for name, value in mine.items() if isinstance(value, SIMPLE)}
    return canonical({name: value for name, value in mine.items() if not name.startswith("_")})


def _classes(module: Any) -> list[type]:
    """Classes of one's own among the layers, and what they inherit from, in a fixed order."""
    found = {kind for part in module.modules() for kind in type(part).__mro__ if not _is_torch(kind)} - {object}
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def _class(kind: type) -> str:
    """Functions and plain values of a class, also behind properties and static methods."""
    mine = {name: value for name, value in vars(kind).items() if name not in ("__module__", "__doc__")}
    open_ = {name: getattr(value, "fget", None) or getattr(value, "__func__", value) for name, value in mine.items()}
    kept = {name: value for name, value in open_.items() if isinstance(value, (*SIMPLE, types.FunctionType))}
    return f"{kind.__qualname__} {canonical({k: v for k, v in kept.items() if k not in NOISE})}"


def _is_torch(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "torch"
