"""Reconstructed pictures beside the people they are nearest to: real people, so for the closed folder."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.findings import Finding

LARGEST = 160
"""Pixels of a side that are shown at most: larger pictures are thinned, or a page of many would not open."""

WARNING = (
    "This page shows the people of the data themselves, trained on and held out, and what attacks drew of them. Guard "
    "it as you guard the training data; do not publish it or mail it."
)
"""What stands above every gallery."""

FRAMES = (
    ("starts", "Start", "where the search began; what the result shares with it was not learned from the model"),
    ("results", "Result", "what the attack drew from the answers of the model"),
    (
        "members",
        "Nearest trained on",
        "somebody of the data: of those of the class whom the model was trained on, the one most like the result",
    ),
    (
        "heldout",
        "Nearest never seen",
        "somebody of the data: of those of the class whom the model never saw, the one most like the result; if it is "
        "as much like the result as the trained one, the picture shows the class and nobody in particular",
    ),
    (
        "controls",
        "Best without a search",
        "of pictures drawn blindly, the one that the model finds most like the class; where it is as good as the "
        "result, the search found nothing",
    ),
)
"""Pictures of a row: where they are kept, what they are called, and what they prove."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures that one attack made, one row a class.

    Attributes:
      classes: ``(C,)`` places of the classes.
      results: ``(C, *shape)`` what the attack made; ``shape`` is ``(h, w)`` or ``(h, w, c)``.
      starts: ``(C, *shape)`` where its search began.
      members: ``(C, *shape)`` nearest people trained on.
      heldout: ``(C, *shape)`` nearest people of the class whom the model never saw.
      controls: ``(C, *shape)`` best pictures without a search.
      low: The darkest value of a pixel.
      high: The brightest.
    """

    classes: NDArray[Any]
    results: NDArray[Any]
    starts: NDArray[Any]
    members: NDArray[Any]
    heldout: NDArray[Any]
    controls: NDArray[Any]
    low: float
    high: float

    @classmethod
    def of(cls, gallery: Any) -> Pictures:
        """What an attack left: anything with the same attributes."""
        return cls(**{part.name: getattr(gallery, part.name) for part in fields(cls)})

    def to_bytes(self) -> bytes:
        """The content of an ``.npz`` file."""
        content = io.BytesIO()
        arrays: dict[str, Any] = {part.name: np.asarray(getattr(self, part.name)) for part in fields(self)}
        np.savez(content, **arrays)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Pictures:
        """What `to_bytes` wrote; no code in it is run.

        Raises:
          ValueError: It is none, or holds objects.
          KeyError: An array is missing.
        """
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            found = {part.name: stored[part.name] for part in fields(cls)}
        return cls(**{**found, "low": float(found["low"]), "high": float(found["high"])})


@dataclass(frozen=True)
class Frame:
    """One picture on the page.

    Attributes:
      title: What it is.
      source: Its PNG as a data URI.
      text: What stands in for it where it cannot be seen.
      likeness: Its correlation with the result, or nothing.
    """

    title: str
    source: str
    text: str
    likeness: str = ""


@dataclass(frozen=True)
class Wall:
    """The pictures of one attack.

    Attributes:
      finding: What the attack found.
      rows: Name of the class, and its pictures in the order of `FRAMES`.
    """

    finding: Finding
    rows: tuple[tuple[str, tuple[Frame, ...]], ...]


def wall(finding: Finding, pictures: Pictures, labels: Sequence[Any] | NDArray[Any]) -> Wall:
    """Hang the pictures of an attack.

    Args:
      finding: What it found.
      pictures: What it left.
      labels: Names of all classes that the model knows.
    """
    rows = []
    for row, place in enumerate(pictures.classes):
        label, made = str(labels[int(place)]), pictures.results[row]
        frames = []
        for name, title, _ in FRAMES:
            image = getattr(pictures, name)[row]
            source = data_uri(pixels(image, pictures.low, pictures.high))
            like = "" if name == "results" else f"{correlation(image, made):.2f}"
            frames.append(Frame(title, source, f"{title}, class {label}", like))
        rows.append((label, tuple(frames)))
    return Wall(finding, tuple(rows))


def correlation(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Pearson correlation of two pictures; 0 where one is of one color."""
    first, second = (np.asarray(image, dtype=np.float64).reshape(-1) for image in (one, other))
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale > 1e-12 else 0.0


def pixels(image: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """A picture as bytes, ``(h, w)`` gray or ``(h, w, 3)`` color: from ``low``, black, to ``high``, white.

    More channels than a screen has, or two, are shown as their mean; large pictures are thinned to `LARGEST`.
    """
    values = np.asarray(image, dtype=np.float64)
    if values.ndim == 3 and values.shape[2] == 4:
        values = values[:, :, :3]
    elif values.ndim == 3 and values.shape[2] != 3:
        values = values.mean(axis=2)
    step = -(-max(values.shape[:2]) // LARGEST)
    scaled = 255 * (values[::step, ::step] - low) / (high - low if high > low else 1.0)
    return np.asarray(np.rint(np.nan_to_num(scaled, nan=0.0).clip(0, 255)), dtype=np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    """A PNG file of bytes, ``(h, w)`` gray or ``(h, w, 3)`` color.

    References:
      ISO/IEC 15948:2004, sections 5 and 11.
    """
    height, width = image.shape[:2]
    color = 2 if image.ndim == 3 else 0
    lines = np.ascontiguousarray(image).reshape(height, -1)
    unfiltered = np.concatenate([np.zeros((height, 1), dtype=np.uint8), lines], axis=1)
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)),
        (b"IDAT", zlib.compress(unfiltered.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )


def data_uri(image: NDArray[np.uint8]) -> str:
    """A picture that stands in the page itself."""
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()
