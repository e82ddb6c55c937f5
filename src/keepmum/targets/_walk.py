"""Walk through everything that a fitted model holds."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

_LEAVES = (str, bytes, bytearray, int, float, complex, bool, type(None), type, types.ModuleType, types.FunctionType)


def parts(model: Any) -> Iterator[Any]:
    """The model and every object below it, each once, parents before their children."""
    waiting, seen = [model], {}
    while waiting:
        item = waiting.pop()
        if isinstance(item, _LEAVES) or id(item) in seen:
            continue
        seen[id(item)] = item  # keeps it alive, so that its id stays its own
        yield item
        waiting.extend(_children(item))


def _children(item: Any) -> list[Any]:
    if isinstance(item, np.ndarray):
        return list(item.flat) if item.dtype.kind == "O" else []
    if isinstance(item, dict):
        return [*item.keys(), *item.values(), *getattr(item, "__dict__", {}).values()]
    if isinstance(item, (list, tuple, set, frozenset)):
        return [*item, *getattr(item, "__dict__", {}).values()]
    if isinstance(item, functools.partial):
        return [item.func, *item.args, *item.keywords.values()]
    if isinstance(item, types.MethodType):
        return [item.__self__]
    return list(getattr(item, "__dict__", {}).values())


def is_a(item: Any, *names: str) -> bool:
    """Whether the item's class, or a base of it, has one of the full names ``module.Class``."""
    return any(f"{base.__module__}.{base.__name__}" in names for base in type(item).__mro__)
