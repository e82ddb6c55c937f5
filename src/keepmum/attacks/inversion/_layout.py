"""Images as they are looked at, height by width by channels, and rows as a model takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats

Shape = tuple[int, ...]
COLORS = (1, 3)
"""Channels of an image where a record does not say which of its sides they are."""


def fits(row: Shape, shape: Shape) -> bool:
    """Whether a row can be an image of this shape: as it is, flat, or with the channels first."""
    return row in (shape, (int(np.prod(shape)),)) or _one_channel_first(row, shape) or channels_first(row, shape)


def channels_first(row: Shape, shape: Shape) -> bool:
    """Whether a row has the channels first, as torch takes them, and the image has them last."""
    return len(shape) == 3 and row != shape and row == (shape[2], *shape[:2])


def _one_channel_first(row: Shape, shape: Shape) -> bool:
    return len(shape) == 2 and row == (1, *shape)


def seen_in(row: Shape) -> Shape:
    """Shape of the image that a row of several sides is: one or three channels in front go to the back."""
    if len(row) == 3 and row[0] in COLORS and row[2] not in COLORS and min(row[1:]) > max(COLORS):
        return row[1:] if row[0] == 1 else (*row[1:], row[0])
    return row


def as_images(rows: Any, shape: Shape) -> Floats:
    """Rows ``(n, …)`` as images ``(n, *shape)``."""
    values = np.asarray(rows, dtype=np.float64)
    if channels_first(values.shape[1:], shape):
        values = np.moveaxis(values, 1, -1)
    return values.reshape(len(values), *shape)


def as_rows(images: NDArray[Any], row: Shape) -> NDArray[Any]:
    """Images ``(n, *shape)`` as rows ``(n, *row)``: the inverse of `as_images`."""
    if channels_first(row, images.shape[1:]):
        images = np.moveaxis(images, -1, 1)
    return images.reshape(len(images), *row)
