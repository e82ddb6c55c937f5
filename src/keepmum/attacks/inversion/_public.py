"""The attacker's own images, checked, and what they have in common."""

from __future__ import annotations

from typing import Any

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._eigenimages import Naturalness
from keepmum.attacks.inversion._prior import checked_images, checked_range
from keepmum.errors import DataError


def public_images(
    images: Any,
    shape: tuple[int, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    what: str = "public images",
) -> Floats:
    """The attacker's images, checked.

    Raises:
      DataError: None, of another shape, or with pixels that are no numbers or out of range.
    """
    checked = checked_images(images, shape, what)
    if not len(checked):
        raise DataError("expected at least one public image, got none")
    least, most = float(checked.min()), float(checked.max())
    floor, top = least if low is None else low, most if high is None else high
    if least < floor or most > top:
        raise DataError(
            f"expected pixels from {floor:g} to {top:g}, got {least:g} to {most:g}: give low and high as they are"
        )
    return checked


def ranged(images: Any, low: float | None, high: float | None) -> tuple[Floats, float, float]:
    """Images of whatever shape, and the range of their pixels; the one seen, where none is given.

    Raises:
      DataError: No two different images, or with pixels that are no numbers or out of range.
      ConfigError: A range that is none.
    """
    public = public_images(images, None, low, high)
    low, high = public.min() if low is None else low, public.max() if high is None else high
    if low == high:
        raise DataError(f"expected at least two different images to fit components to, got {len(public)} alike")
    low, high = checked_range(low, high)
    return public, low, high


def natural_of(images: Floats, components: int, span: float) -> Naturalness:
    """What ``(n, *shape)`` images have in common, at least two different ones.

    Raises:
      DataError: There are none.
    """
    natural = Naturalness.fit(images, components, span)
    if not len(natural.eigenimages.components):
        raise DataError(f"expected at least two different images to fit components to, got {len(images)} alike")
    return natural
