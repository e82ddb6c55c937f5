"""Pictures of classes: what a search returns, and what is kept of them for the closed folder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats


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
    """

    classes: NDArray[np.intp]
    results: Floats
    starts: Floats
    members: Floats
    heldout: Floats
    controls: Floats
    low: float = 0.0
    high: float = 1.0
