"""What decides a module that has not been trained yet, as text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from keepmum.errors import ConfigError
from keepmum.training._canonical import SIMPLE, canonical, code_of
from keepmum.training._torch_data import fresh

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def key_of_build(build: Callable[[], Any]) -> str:
    """Hash of what a function builds: layers, their settings and code, and the first weights of one seed.

    The function's own code would not tell a changed global, nor weights that it reads from a file; what it returns
    does.

    Raises:
      ConfigError: It returns no module, or another one each time.
    """
    first, again = fresh(build)
    if _weights(first) != _weights(again):
        raise ConfigError(
            "expected build() to take its random numbers from torch alone, so that the seed decides the first weights: "
            "got other weights from the same seed"
        )
    return key_of_module(first)


def key_of_module(module: Any) -> str:
    """Hash of a module: layers, their settings, hooks and code, and its weights."""
    parts = [repr(module), _weights(module), *map(_settings, module.modules())]
    parts += [code_of(kind) for kind in _classes(module)]
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
    hooks = [list(vars(part).get(name, {}).values()) for name in HOOKS]
    mine = {name: value for name, value in vars(part).items() if name not in _inner() and name != "training"}
    if _is_torch(type(part)):
        mine = {n: v for n, v in mine.items() if isinstance(v, SIMPLE) and not n.startswith("_")}
    return f"{canonical(mine)} {canonical(hooks)}"


@cache
def _inner() -> frozenset[str]:
    """Attributes that every module has, for torch's own use."""
    from torch import nn

    return frozenset(vars(nn.Module()))


def _classes(module: Any) -> list[type]:
    """Classes of one's own among the layers, and what they inherit from, in a fixed order."""
    found = {kind for part in module.modules() for kind in type(part).__mro__ if not _is_torch(kind)} - {object}
    return sorted(found, key=lambda kind: (kind.__module__, kind.__qualname__))


def _is_torch(kind: type) -> bool:
    return kind.__module__.split(".")[0] == "torch"
