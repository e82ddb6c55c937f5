"""Weights of torch modules from files that hold nothing else, put into a module that the user's own code builds."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from keepmum.errors import ConfigError, KeepmumError, MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets._formats import Format
from keepmum.targets._tensors import import_torch

SHOWN = 3
"""Names that a message tells at most."""


def read_weights(path: Path, kind: Format) -> dict[str, Any]:
    """Tensors by name, on the CPU.

    Raises:
      UnsafeFileError: The file is damaged, or holds more than tensors and their names.
      MissingExtraError: torch, or safetensors, is not installed.
    """
    torch = import_torch()
    if kind is Format.SAFETENSORS:
        return _safetensors(path)
    try:
        # Never without weights_only, whatever torch's default: that one unpickles.
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # torch raises what its reader met: there is no list of it
        raise UnsafeFileError(f"{path.name} holds more than weights, or is damaged: {saving(path)}") from err
    if not isinstance(held, Mapping) or not all(isinstance(value, torch.Tensor) for value in held.values()):
        found = (
            ", ".join(str(name) for name in list(held)[:SHOWN]) if isinstance(held, Mapping) else type(held).__name__
        )
        raise UnsafeFileError(
            f"{path.name}: expected tensors by name, as module.state_dict() has them, got {found}: {saving(path)}"
        )
    return {str(name): value for name, value in held.items()}


def saving(path: Path) -> str:
    """What to do with a torch file that cannot be read as weights."""
    quote = "'" if "'" not in path.name and '"' not in path.name else ""
    source, result = (path.name, f"{path.stem}.safetensors") if quote else ("model.pt", "model.safetensors")
    return (
        'where the model was trained, run  python -c "import torch, safetensors.torch as s; '
        f"s.save_file(torch.load('{source}', weights_only=False).state_dict(), '{result}')\"  and audit {result} with "
        "--factory pkg.module:function"
    )


def filled(path: Path, kind: Format, factory: str | Callable[[], Any]) -> Any:
    """The module that a factory builds, with the weights of a file.

    Args:
      path: File of weights.
      kind: Its format.
      factory: Called without arguments; or where to import it from, ``package.module:name``.

    Raises:
      UnsafeFileError: The file is damaged, or holds more than weights.
      ConfigError: No such factory.
      TargetError: It builds no module, or one that has other weights.
      MissingExtraError: torch, or safetensors, is not installed.
    """
    module, given = built(factory), read_weights(path, kind)
    _check(path.name, module.state_dict(), given)
    module.load_state_dict(given)
    return module


def built(factory: str | Callable[[], Any]) -> Any:
    """What a factory builds: a ``torch.nn.Module``.

    Raises:
      ConfigError: No such factory.
      TargetError: It fails, or builds something else.
    """
    torch, name = import_torch(), factory if isinstance(factory, str) else getattr(factory, "__qualname__", "factory")
    with _from_here():
        function = imported(factory) if isinstance(factory, str) else factory
        if not callable(function):
            raise ConfigError(
                f"factory {name}: expected a function that builds the module, got {type(function).__name__}"
            )
        try:
            module = function()
        except KeepmumError:
            raise
        except Exception as err:  # the user's own code may raise anything
            raise TargetError(f"factory {name}: called without arguments, it raised {_told(err)}") from err
    if not isinstance(module, torch.nn.Module):
        raise TargetError(f"factory {name}: expected it to return a torch.nn.Module, got {type(module).__name__}")
    return module


def imported(place: str) -> Any:
    """What stands at ``package.module:name``.

    Raises:
      ConfigError: Nothing, or the module cannot be imported.
    """
    where, colon, name = place.partition(":")
    if not colon or not all(part.isidentifier() for part in (*where.split("."), *name.split("."))):
        raise ConfigError(f"factory: expected package.module:function, such as net:make, got {place!r}")
    try:
        found = importlib.import_module(where)
    except Exception as err:  # the user's own code may raise anything
        raise ConfigError(
            f"factory {place}: {where} cannot be imported from {Path.cwd()} or the installed packages ({_told(err)})"
        ) from err
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError(f"factory {place}: there is no {name} in {where}")
        found = getattr(found, part)
    return found


@contextlib.contextmanager
def _from_here() -> Iterator[None]:
    """Let imports see the working directory, as a script that stands there would."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # what was imported may have taken it away
            sys.path.remove(here)


def _safetensors(path: Path) -> dict[str, Any]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as err:
        raise MissingExtraError("safetensors", "torch") from err
    try:
        with safe_open(path, framework="pt", device="cpu") as held:
            return {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError, ValueError) as err:
        raise UnsafeFileError(
            f"{path.name} is no whole safetensors file ({_told(err)}): copy or save it again"
        ) from err


def _check(name: str, own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Hold weights against those that a module has.

    Raises:
      TargetError: Some are missing, are too many, or have another shape.
    """
    missing, surplus = [key for key in own if key not in given], [key for key in given if key not in own]
    if missing or surplus:
        lacking = f"lacks {_some(missing)}" if missing else ""
        extra = f"has {_some(surplus)}, which the module does not know" if surplus else ""
        odd = " and ".join(part for part in (lacking, extra) if part)
        raise TargetError(f"{name} {odd}: give the factory that built the trained module")
    for key, value in own.items():
        if tuple(getattr(value, "shape", ())) != tuple(given[key].shape):
            raise TargetError(
                f"{name}: expected {key} of shape {tuple(value.shape)}, as the factory builds it, got "
                f"{tuple(given[key].shape)}: give the factory that built the trained module"
            )


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def _told(err: BaseException) -> str:
    first = (str(err).strip().splitlines() or ["no reason given"])[0][:200]
    return f"{type(err).__name__}: {first}"
