"""Pictures drawn from soft-edged shapes, many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Canvas:
    """Pictures being drawn, and the coordinates to draw in.

    Attributes:
      x: ``(n, h, w)`` distance to the right of the middle, in half picture heights.
      y: The same downward.
      tones: ``(n, h, w)`` what is drawn, changed in place and shared by canvases that were moved.
      pixel: Side of a pixel in the unit of ``x``: edges are as soft as this.
    """

    x: Floats
    y: Floats
    tones: Floats
    pixel: float

    @classmethod
    def blank(cls, tones: Floats) -> Canvas:
        """A canvas on a background of shape ``(n, h, w)``."""
        height, width = tones.shape[1:]
        rows = (np.arange(height) + 0.5) * 2 / height - 1
        columns = ((np.arange(width) + 0.5) * 2 - width) / height
        y, x = np.meshgrid(rows, columns, indexing="ij")
        return cls(x[None], y[None], tones, 2 / height)

    def moved(self, right: Floats | float = 0.0, down: Floats | float = 0.0) -> Canvas:
        """The same pictures with the middle elsewhere."""
        return replace(self, x=self.x - right, y=self.y - down)

    def turned(self, angle: Floats, scale: Floats) -> Canvas:
        """The same pictures in coordinates turned by ``angle`` (radians) and enlarged by ``scale``."""
        cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
        return replace(self, x=self.x * cosine + self.y * sine, y=self.y * cosine - self.x * sine)

    def inside(self, depth: Floats) -> Floats:
        """Soft mask of where ``depth``, a distance from an edge, is positive."""
        return np.clip(depth / self.pixel + 0.5, 0, 1)

    def ellipse(self, x: float, y: Floats | float, width: float, height: Floats | float) -> Floats:
        """Mask of an ellipse with these half axes."""
        radius = np.sqrt(((self.x - x) / width) ** 2 + ((self.y - y) / height) ** 2)
        return self.inside((1 - radius) * np.minimum(width, height))

    def line(self, level: Floats | float, left: float, right: float, weight: Floats | float) -> Floats:
        """Mask of a line along ``y = level`` between two ``x``; fainter where it is thinner than a pixel."""
        ends = np.minimum(self.x - left, right - self.x)
        return self.inside(weight / 2 - np.abs(self.y - level)) * self.inside(ends)

    def paint(self, mask: Floats, tone: Floats | float) -> None:
        """Cover with a tone."""
        np.copyto(self.tones, self.tones + mask * (tone - self.tones))

    def shade(self, mask: Floats, factor: Floats | float) -> None:
        """Darken (below 1) or lighten (above 1)."""
        self.paint(mask, self.tones * factor)
