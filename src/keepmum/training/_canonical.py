"""Values as text: equal text only for values that train alike, and the same text in every process."""

from __future__ import annotations

import hashlib
from functools import partial
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
    if isinstance(value, partial):
        return f"partial({canonical(value.func)}, {canonical(value.args)}, {canonical(value.keywords)})"
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor's own text leaves out its middle
        return f"{value.dtype} {canonical(value.detach().cpu().float().numpy())}"
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


def _code(function: FunctionType, within: tuple[FunctionType, ...] = ()) -> str:
    """What a function does, as far as its own code, what it closes over and the globals that it names tell."""
    within = (*within, function)
    closed = [canonical(cell.cell_contents) for cell in function.__closure__ or ()]
    named = {name: function.__globals__[name] for name in _names(function.__code__) if name in function.__globals__}
    plain = {name: value for name, value in named.items() if isinstance(value, (bool, int, float, str, tuple))}
    called = [_code(f, within) for f in named.values() if isinstance(f, FunctionType) and f not in within]
    parts = [_bytes(function.__code__), *closed, canonical(function.__defaults__), canonical(function.__kwdefaults__)]
    return hashlib.sha256("\n".join([*parts, canonical(plain), *called]).encode()).hexdigest()


def _names(code: CodeType) -> list[str]:
    """Names that code looks up, also in the functions inside it, in a fixed order."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})


def _bytes(code: CodeType) -> str:
    consts = [_bytes(c) if isinstance(c, CodeType) else canonical(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {consts}"
