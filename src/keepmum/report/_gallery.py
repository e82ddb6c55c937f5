"""Reconstructed pictures beside the people they are nearest to: real people, so for the closed folder."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.findings import Finding

LARGEST = 160
"""Pixels of a side that are shown at most: larger pictures are thinned, or a page of many would not open."""

OPTIONAL = frozenset({"asked", "ways"})
"""What not everyone leaves who makes pictures."""

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

WAY = (
    "After so many queries",
    "the search under way, after so many queries for each class; gray where there is no picture of the class yet",
)
"""What stands between start and result, and what it proves."""
SHOWN = 4
"""Pictures of the search under way that a row shows; more are kept."""


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
      asked: ``(F,)`` queries a class after which there is a picture of the search under way.
      ways: ``(C, F, *shape)`` these pictures.
    """

    classes: NDArray[Any]
    results: NDArray[Any]
    starts: NDArray[Any]
    members: NDArray[Any]
    heldout: NDArray[Any]
    controls: NDArray[Any]
    low: float
    high: float
    asked: NDArray[Any] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    ways: NDArray[Any] = field(default_factory=lambda: np.empty((0, 0)))

    @classmethod
    def of(cls, gallery: Any) -> Pictures:
        """What an attack left: anything with the same attributes; pictures of the way may be missing."""
        there = [part.name for part in fields(cls) if part.name not in OPTIONAL or hasattr(gallery, part.name)]
        return cls(**{name: getattr(gallery, name) for name in there})

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
            there = [part.name for part in fields(cls) if part.name not in OPTIONAL or part.name in stored]
            found = {name: stored[name] for name in there}
        return cls(**{**found, "low": float(found["low"]), "high": float(found["high"])})


@dataclass(frozen=True)
class Frame:
    """One picture on the page.

    Attributes:
      title: What it is.
      source: Its PNG as a data URI.
      text: What stands in for it where it cannot be seen.
      likeness: Its correlation with the result, or nothing.
      way: Whether it is of a search under way.
    """

    title: str
    source: str
    text: str
    likeness: str = ""
    way: bool = False


@dataclass(frozen=True)
class Wall:
    """The pictures of one attack.

    Attributes:
      finding: What the attack found.
      rows: Name of the class, and its pictures in the order of `FRAMES`, those of the way after the start.
    """

    finding: Finding
    rows: tuple[tuple[str, tuple[Frame, ...]], ...]

    @property
    def ways(self) -> bool:
        """Whether the search is shown under way."""
        return any(frame.way for _, frames in self.rows for frame in frames)


def wall(finding: Finding, pictures: Pictures, labels: Sequence[Any] | NDArray[Any]) -> Wall:
    """Hang the pictures of an attack.

    Args:
      finding: What it found.
      pictures: What it left.
      labels: Names of all classes that the model knows.
    """
    rows = []
    for row, place in enumerate(pictures.classes):
        label = str(labels[int(place)])
        start, *others = [(title, getattr(pictures, name)[row]) for name, title, _ in FRAMES]
        way = [(f"After {pictures.asked[step]:,}", pictures.ways[row][step]) for step in steps(len(pictures.asked))]
        made = pictures.results[row]
        hung = [(*start, False), *((*step, True) for step in way), *((*other, False) for other in others)]
        frames = tuple(_frame(title, image, label, made, pictures, way=under) for title, image, under in hung)
        rows.append((label, frames))
    return Wall(finding, tuple(rows))


def _frame(title: str, image: NDArray[Any], label: str, made: NDArray[Any], pictures: Pictures, *, way: bool) -> Frame:
    like = "" if title == "Result" else f"{correlation(image, made):.2f}"
    return Frame(title, data_uri(pixels(image, pictures.low, pictures.high)), f"{title}, class {label}", like, way)


def steps(count: int, shown: int = SHOWN) -> list[int]:
    """Which pictures of the way are shown: evenly spaced, the last among them, not the first, which is like the start.

    >>> steps(13), steps(3), steps(1), steps(0)
    ([3, 6, 9, 12], [1, 2], [], [])
    """
    last = count - 1
    return sorted({round(last * (step + 1) / shown) for step in range(shown)} - {0}) if last > 0 else []


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
