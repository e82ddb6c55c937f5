"""What a folder of signals holds, in words: one small file for each recipe, and locks while it is in use."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from keepmum._whole import write_whole
from keepmum.errors import ConfigError

FRESH = 3600.0
"""Seconds after its last use during which a recipe's signals are never taken away."""
PAIR = re.compile(r"([0-9a-f]{16})-[0-9a-f]{64}\.npy")
LABEL = re.compile(r"([0-9a-f]{16})\.json")


@dataclass(frozen=True)
class Kept:
    """Signals of one recipe about one set of records.

    Attributes:
      folder: Where they are.
      name: The recipe's part of the file names.
      label: What its small file says: ``recipe``, ``signal``, ``records``, ``keepmum``, ``made``.
      models: Shadow models whose signals are there.
      size: Bytes.
      used: When they were last asked for, in seconds since 1970.
      in_use: Whether an audit uses them now, or may: within the last hour.
    """

    folder: Path
    name: str
    label: Mapping[str, Any]
    models: int
    size: int
    used: float
    in_use: bool

    def remove(self) -> bool:
        """Take the signals away, unless an audit began to use them meanwhile; says whether it did."""
        with _alone(self.folder / f"{self.name}.lock") as alone:
            if not alone:
                return False
            for path in _files(self.folder, self.name):
                path.unlink(missing_ok=True)
        (self.folder / f"{self.name}.lock").unlink(missing_ok=True)
        return True


def kept(folder: Path) -> list[Kept]:
    """What a folder holds, longest unused first; files that no store wrote are not looked at."""
    names = {found[1] for path in folder.glob("*.npy") if (found := PAIR.fullmatch(path.name))}
    names |= {found[1] for path in folder.glob("*.json") if (found := LABEL.fullmatch(path.name))}
    return sorted((_look(folder, name) for name in names), key=lambda held: held.used)


def _look(folder: Path, name: str) -> Kept:
    models, size, used = 0, 0, 0.0
    for path in _files(folder, name):
        with suppress(OSError):  # another audit or another prune may be at work
            stat = path.stat()
            models += 2 * (path.suffix == ".npy")
            size += stat.st_size
            used = max(used, stat.st_mtime)
    in_use = time.time() - used < FRESH
    if not in_use:
        with _alone(folder / f"{name}.lock") as alone:
            in_use = not alone
    return Kept(folder, name, read_label(folder, name) or {}, models, size, used, in_use)


def _files(folder: Path, name: str) -> list[Path]:
    return [path for path in folder.glob(f"{name}*") if path.suffix in (".npy", ".json", ".partial")]


def read_label(folder: Path, name: str) -> dict[str, Any] | None:
    """What the small file of a recipe says, or None where there is none."""
    try:
        label = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return label if isinstance(label, dict) else None


def write_label(folder: Path, name: str, facts: Mapping[str, Any]) -> None:
    """Say in words what the signals of this name are, for those who tidy up."""
    made = (read_label(folder, name) or {}).get("made", datetime.now(UTC).isoformat(timespec="seconds"))
    put(folder / f"{name}.json", json.dumps({**facts, "made": made}, sort_keys=True) + "\n")


def touch(folder: Path, name: str) -> None:
    """Note that the signals were used now."""
    with suppress(OSError):  # a folder that may only be read
        os.utime(folder / f"{name}.json")


def put(path: Path, content: str | memoryview) -> None:
    """Write a file whole or not at all.

    Raises:
      ConfigError: The folder cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as err:
        raise ConfigError(f"cannot keep shadow signals in {path.parent} ({err.strerror})") from err


@contextmanager
def in_use(folder: Path, name: str) -> Iterator[None]:
    """Keep the signals of this name from being taken away inside the block; any number of audits may."""
    with _locked(folder / f"{name}.lock", alone=False):
        yield


@contextmanager
def _alone(path: Path) -> Iterator[bool]:
    with _locked(path, alone=True) as got:
        yield got


@contextmanager
def _locked(path: Path, *, alone: bool) -> Iterator[bool]:
    """Hold a lock that ends with the process, however it ends; where there are none, the last use has to do."""
    try:
        import fcntl
    except ImportError:
        yield True
        return
    if alone and not path.exists():  # whoever only looks leaves nothing behind
        yield True
        return
    try:
        file = path.open("ab")
    except OSError:
        yield True
        return
    with file:
        got = True
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except OSError:
            got = False
        yield got
