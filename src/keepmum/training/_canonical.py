"""Values as text: equal text only for values that train alike, and the same text in every process."""

from __future__ import annotations

import hashlib
from types import BuiltinFunctionType, CodeType, FunctionType
from typing import Any

import numpy as np

from keepmum.errors import ConfigError


def canonical(value: Any) -> str:
    """A parameter of an estimator as text.

    Raises:
      ConfigError: A value that can only be told by its place in memory.
    """
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}({', '.join(map(canonical, value))})"
    if isinstance(value, (set, frozenset)):
        return f"set({', '.join(sorted(map(canonical, value)))})"
    if isinstance(value, dict):
        return f"dict({', '.join(sorted(f'{canonical(k)}: {canonical(v)}' for k, v in value.items()))})"
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return f"array({value.dtype}, {value.shape}, {hashlib.sha256(value.tobytes()).hexdigest()})"
    if isinstance(value, np.ndarray):
        return f"array({value.shape}, {canonical(value.tolist())})"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return f"{_name(type(value))}({canonical(value.get_params(deep=False))})"
    if isinstance(value, FunctionType):
        return f"{_name(value)}({_code(value)})"
    if isinstance(value, (type, BuiltinFunctionType, np.ufunc)):
        return _name(value) if hasattr(value, "__qualname__") else repr(value)
    text = repr(value)
    if " at 0x" in text and _is_plain(value):
        return f"{_name(type(value))}({canonical(vars(value))})"
    if " at 0x" in text:
        raise ConfigError(
            f"expected parameters that can be told apart, got {text[:80]}: use keepmum.training.FunctionTrainer"
        )
    return f"{type(value).__name__} {text}"


def _is_plain(value: Any) -> bool:
    """Whether an object of a class written in Python holds all that it knows in its attributes."""
    classes = type(value).__mro__[:-1]
    return hasattr(value, "__dict__") and all(
        c.__module__ != "builtins" and "__slots__" not in vars(c) for c in classes
    )


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _code(function: FunctionType) -> str:
    """What a function does, as far as its own code and what it closes over tell."""
    closed = [canonical(cell.cell_contents) for cell in function.__closure__ or ()]
    parts = [_bytes(function.__code__), *closed, canonical(function.__defaults__), canonical(function.__kwdefaults__)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _bytes(code: CodeType) -> str:
    consts = [_bytes(c) if isinstance(c, CodeType) else canonical(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {consts}"
