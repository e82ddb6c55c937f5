"""Values as text: equal text only for values that train alike, and the same text in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from keepmum.errors import ConfigError

SIMPLE = (bool, int, float, str, tuple, type(None))
NOISE = ("__module__", "__doc__", "__qualname__", "__firstlineno__", "__static_attributes__")
INSTALLED = ("site-packages", "dist-packages")
WITHIN: ContextVar[tuple[Any, ...]] = ContextVar("WITHIN", default=())
"""Functions and objects that are being told, so that what refers to itself comes to an end."""


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
    if hasattr(value, "tocoo") and not isinstance(value, type):
        entries = value.tocoo()
        return f"{_name(type(value))}({canonical([entries.shape, *entries.coords, entries.data])})"
    if hasattr(value, "to_numpy") and not isinstance(value, type):  # a frame's own text leaves out its middle, too
        names = [str(name) for name in getattr(value, "columns", ())]
        return f"{_name(type(value))}({canonical(names)}, {canonical(np.asarray(value.to_numpy()))})"
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a tensor's own text leaves out its middle
        return f"{value.dtype} {canonical(value.detach().cpu().float().numpy())}"
    if hasattr(value, "named_modules") and not isinstance(value, type):
        from keepmum.training._torch_key import key_of_module  # its own text leaves out weights and some settings

        return f"{_name(type(value))}({key_of_module(value)})"
    if hasattr(value, "get_params") and not isinstance(value, type):
        return f"{_name(type(value))}({canonical(value.get_params(deep=False))})"
    if isinstance(value, FunctionType):
        return f"{_name(value)}({_code(value)})"
    if isinstance(value, type) and _is_own_class(value):
        with _telling(value) as new:
            return f"{_name(value)}({code_of(value)})" if new else _name(value)
    if isinstance(value, (type, BuiltinFunctionType, np.ufunc)):
        return _name(value) if hasattr(value, "__qualname__") else repr(value)
    text = repr(value)
    if " at 0x" in text and _is_plain(value):
        return _plain(value)
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


def _plain(value: Any) -> str:
    """An object by its attributes, and by the code of its classes where it is one's own."""
    with _telling(value) as new:
        if not new:
            return _name(type(value))
        code = [code_of(kind) for kind in type(value).__mro__[:-1] if _is_own_class(kind)]
        return f"{_name(type(value))}({', '.join([canonical(vars(value)), *code])})"


@contextmanager
def _telling(value: Any) -> Iterator[bool]:
    """Whether the value is not being told already."""
    within = WITHIN.get()
    token = WITHIN.set((*within, value))
    try:
        yield all(value is not other for other in within)
    finally:
        WITHIN.reset(token)


def code_of(kind: type) -> str:
    """Functions and plain values of a class, also behind properties and static methods."""
    mine = {name: value for name, value in vars(kind).items() if name not in NOISE}
    open_ = {name: getattr(value, "fget", None) or getattr(value, "__func__", value) for name, value in mine.items()}
    kept = {name: value for name, value in open_.items() if isinstance(value, (*SIMPLE, FunctionType))}
    return f"{kind.__qualname__} {canonical(kept)}"


def _is_own_class(kind: type) -> bool:
    return any(isinstance(value, FunctionType) and _is_own(value) for value in vars(kind).values())


def _is_own(function: FunctionType) -> bool:
    """Whether somebody wrote it for this recipe: what is installed has a version, and globals that are not settings."""
    import sysconfig

    file = function.__code__.co_filename
    return not (file.startswith(sysconfig.get_path("stdlib")) or any(part in file for part in INSTALLED))


def _code(function: FunctionType) -> str:
    """What a function does, as far as its own code, what it closes over and the globals that it names tell."""
    with _telling(function) as new:
        if not new:
            return _name(function)
        closed = [canonical(value) for value in _closed(function)]
        named = {n: function.__globals__[n] for n in _names(function.__code__) if n in function.__globals__}
        kinds = (object,) if _is_own(function) else (bool, int, float, str, tuple, FunctionType)
        kept = {n: v for n, v in named.items() if isinstance(v, kinds) and not isinstance(v, ModuleType)}
        parts = [_bytes(function.__code__), *closed, canonical(function.__defaults__)]
        parts += [canonical(function.__kwdefaults__), canonical(kept)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _closed(function: FunctionType) -> list[Any]:
    """What a function closes over, as far as it is there yet."""
    values = []
    for cell in function.__closure__ or ():
        try:
            values.append(cell.cell_contents)
        except ValueError:
            continue
    return values


def _names(code: CodeType) -> list[str]:
    """Names that code looks up, also in the functions inside it, in a fixed order."""
    inner = [name for const in code.co_consts if isinstance(const, CodeType) for name in _names(const)]
    return sorted({*code.co_names, *inner})


def _bytes(code: CodeType) -> str:
    consts = [_bytes(c) if isinstance(c, CodeType) else canonical(c) for c in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {consts}"
