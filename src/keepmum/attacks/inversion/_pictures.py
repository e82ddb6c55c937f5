"""Pictures of classes: what a search returns, and what is kept of them for the closed folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats

FILM = 4
"""Pictures of a film for each tenfold of queries."""


@dataclass(frozen=True, eq=False)
class Picture:
    """What an attack made of a class.

    Attributes:
      image: ``(*shape)``.
      latent: ``(d,)`` numbers of the prior.
      confidence: Probability that the model gives the class, or the share of labels; the attacker's own score.
      trace: Queries so far, confidence and image along the way.
    """

    image: Floats
    latent: Floats
    confidence: float
    trace: tuple[tuple[int, float, Floats], ...] = ()

    def after(self, queries: int) -> tuple[float, Floats] | None:
        """Confidence and image that the search had after so many queries, or None where it had none yet."""
        known = [step for step in self.trace if step[0] <= queries]
        return known[-1][1:] if known else None


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures side by side, for the closed folder alone: real people are on some.

    Attributes:
      classes: ``(C,)`` places of the classes.
      results: ``(C, *shape)`` what the attack made.
      starts: ``(C, *shape)`` the first picture along the way.
      members: ``(C, *shape)`` nearest people trained on.
      heldout: ``(C, *shape)`` nearest people of the class whom the model never saw.
      controls: ``(C, *shape)`` best picture without a search.
      low: The darkest value of a pixel.
      high: The brightest.
      asked: ``(F,)`` queries a class after which there is a picture of the search under way.
      ways: ``(C, F, *shape)`` these pictures; one color for a class of which there is none yet.
    """

    classes: NDArray[np.intp]
    results: Floats
    starts: Floats
    members: Floats
    heldout: Floats
    controls: Floats
    low: float = 0.0
    high: float = 1.0
    asked: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))
    ways: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), dtype=np.float32))


def film(pictures: Sequence[Picture], blank: float) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Queries ``(F,)`` and pictures ``(C, F, *shape)`` of searches under way, from their first picture to their end.

    Args:
      pictures: One a class.
      blank: Color of a class of which there is no picture yet.
    """
    first = min((picture.trace[0][0] for picture in pictures if picture.trace), default=0)
    end = max((picture.trace[-1][0] for picture in pictures if picture.trace), default=0)
    asked, k = [], 0
    while (queries := round(10 ** (k / FILM))) < end:
        asked += [queries] if queries >= first else []
        k += 1
    ways = np.full((len(pictures), len(asked), *pictures[0].image.shape), blank, dtype=np.float32)
    for row, picture in enumerate(pictures):
        for column, queries in enumerate(asked):
            if (step := picture.after(queries)) is not None:
                ways[row, column] = step[1]
    return np.array(asked, dtype=np.intp), ways
