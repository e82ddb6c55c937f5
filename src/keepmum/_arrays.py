"""Read arrays from npy and npz files; nothing is ever unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError


def read_npz(file: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an archive, by name.

    Raises:
      DataError: It is none, damaged, or holds Python objects.
    """
    with _array_file(file, "npz archive"), file.open("rb") as raw, np.load(raw, allow_pickle=False) as archive:
        if not hasattr(archive, "files"):
            raise DataError(f"{file.name} is no npz archive: save with numpy.savez")
        return {name: archive[name] for name in archive.files}


def read_npy(file: Path, label: str, *, labeled: bool) -> dict[str, NDArray[Any]]:
    """An array of records as ``X``, and that of their labels, which stands in a file beside it, as ``label``.

    Raises:
      DataError: No such array, or no labels where there have to be some.
    """
    beside = file.with_suffix(".labels.npy")
    found = {"X": _read_array(file)}
    if labeled and not beside.is_file():
        raise DataError(
            f"{file.name} has no labels: save them as {beside.name} beside it, or both as one npz with X and {label}"
        )
    if beside.is_file():
        found[label] = _read_array(beside)
    return found


def _read_array(file: Path) -> NDArray[Any]:
    with _array_file(file, "npy array"), file.open("rb") as raw:
        array = np.load(raw, allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise DataError(f"{file.name} is no npy array: save with numpy.save")
        return array


@contextmanager
def _array_file(file: Path, kind: str) -> Iterator[None]:
    """What goes wrong while numpy reads a file, in one line."""
    try:
        yield
    except FileNotFoundError as err:
        raise DataError(f"expected a file of records, got {file}, which is not there") from err
    except ValueError as err:
        objects = "Object arrays" in str(err)
        what = "holds Python objects, which are never unpickled: save numbers or text" if objects else f"is no {kind}"
        raise DataError(f"{file.name} {what}") from err
    except (OSError, BadZipFile, EOFError, KeyError, NotImplementedError) as err:
        raise DataError(f"{file.name} is no {kind}, or a damaged one ({first_line(err)})") from err


def first_line(err: BaseException) -> str:
    """What an exception says, in one line."""
    return (str(err).strip().splitlines() or [type(err).__name__])[0][:200]
