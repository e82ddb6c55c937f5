"""A film of pictures that take shape: what searches had after more and more queries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from keepmum.report._gallery import Pictures

PEOPLE = 5
"""Persons in the film."""
SIDE = 64
"""Pixels that a picture is wide at least."""
NAMES, HEAD, GAP = 92, 26, 5
"""Pixels that are left for the names of rows and for the line above, and between pictures."""
TONES = 32
"""Shades of gray: noise in more of them would make the file large."""
STEP, FIRST, LAST = 400, 900, 3_000
"""Milliseconds that a frame stands, the first, and the last."""
INK, PAPER = 30, 252


def film(made: Mapping[str, Pictures], place: Path) -> None:
    """Write an animated GIF: a row of people trained on, below it a row for each attack, taking shape.

    Args:
      made: Pictures of the same classes by the name of their row, gray.
      place: Where to write.
    """
    from PIL import Image

    asked = sorted({0, *(int(queries) for pictures in made.values() for queries in pictures.asked)})
    frames = [_frame(made, f"after {queries:,} queries for each person", queries) for queries in asked]
    frames.append(_frame(made, "at the end of each search", None))
    first, *others = [Image.fromarray(frame) for frame in frames]
    stand = [FIRST, *[STEP] * (len(frames) - 2), LAST]
    first.save(place, format="GIF", save_all=True, append_images=others, duration=stand, loop=0, optimize=True)


def shown(pictures: Pictures, queries: int | None) -> NDArray[Any]:
    """Pictures ``(C, *shape)`` after so many queries: none yet (gray), one of the way, or the result, also if None.

    A search has ended before the first number of queries of which nothing is kept.
    """
    if queries is None or (len(pictures.asked) and queries > pictures.asked[-1]):
        return pictures.results
    step = int(np.searchsorted(pictures.asked, queries, side="right")) - 1
    blank = np.full_like(pictures.results, (pictures.low + pictures.high) / 2)
    return blank if step < 0 else np.asarray(pictures.ways[:, step])


def _frame(made: Mapping[str, Pictures], said: str, queries: int | None) -> NDArray[np.uint8]:
    """One frame, gray, ``(height, width)``."""
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    first = next(iter(made.values()))
    rows = {"trained on": _row(first, first.members)}
    rows.update({name: _row(pictures, shown(pictures, queries)) for name, pictures in made.items()})
    height, width = next(iter(rows.values())).shape
    canvas = np.full((HEAD + len(rows) * (height + GAP), NAMES + width), PAPER, dtype=np.uint8)
    for number, row in enumerate(rows.values()):
        top = HEAD + number * (height + GAP)
        canvas[top : top + height, NAMES:] = row
    image = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(image), ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 13)
    draw.text((NAMES, 5), said, fill=INK, font=font)
    for number, name in enumerate(rows):
        middle = HEAD + number * (height + GAP) + height // 2
        draw.text((NAMES - 8, middle), name, fill=INK, font=font, anchor="rm")
    return np.asarray(image)


def _row(pictures: Pictures, images: NDArray[Any]) -> NDArray[np.uint8]:
    """Pictures beside each other, enlarged by a whole number."""
    from keepmum.report._gallery import pixels

    shades = [pixels(image, pictures.low, pictures.high) for image in images[:PEOPLE]]
    times = -(-SIDE // shades[0].shape[1])
    large = [np.kron(one // (256 // TONES) * (256 // TONES), np.ones((times, times), dtype=np.uint8)) for one in shades]
    gap = np.full((large[0].shape[0], GAP), PAPER, dtype=np.uint8)
    return np.concatenate([part for one in large for part in (one, gap)], axis=1)
