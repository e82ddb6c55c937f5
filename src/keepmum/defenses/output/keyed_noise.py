"""Answers with noise that asking again does not change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from keepmum.defenses._base import OutputDefense
from keepmum.defenses.output import _secret
from keepmum.defenses.output._units import first_kept
from keepmum.defenses.output.noise import on_simplex
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats


@dataclass(frozen=True)
class KeyedNoise(OutputDefense):
    """Adds noise that hangs on a secret and on the coarse cell of the answer.

    Noise keyed by the exact input is averaged away by inputs that differ in the last digit. Here all answers in one
    cell get the same noise, so that neither repeating nor jittering a question helps. The label stays.

    Attributes:
      scale: Standard deviation of the noise, above 0.
      cells: Cells of each probability between 0 and 1, above 0; fewer withstand larger changes of the input. Of a
        regression model's values so many in each unit: 0.2 makes cells 5 units wide.
      version: Of the model: another version gets other noise.
      secret: At least 16 bytes. Drawn anew for each defense unless given; several processes that answer for one model
        need one secret.

    Raises:
      ConfigError: A number out of range, or a short secret.
    """

    id: ClassVar[str] = "output/keyed-noise"

    scale: float = 0.05
    cells: float = 4
    version: str = "1"
    secret: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if not self.scale > 0 or not self.cells > 0:
            raise ConfigError(f"expected a scale and cells above 0, got {self.scale} and {self.cells}")
        if self.secret and len(self.secret) < 16:
            raise ConfigError(f"expected a secret of at least 16 bytes, got {len(self.secret)}")
        object.__setattr__(self, "_secret", self.secret or _secret.fresh())

    @property
    def key(self) -> str:
        """All settings; of the secret, what tells it from others."""
        mark = _secret.mark(self.__dict__["_secret"])
        return f"{self.id}(scale={self.scale}, cells={self.cells}, version={self.version!r}, secret {mark})"

    def answer(self, scores: Floats) -> Floats:
        """Rows with the noise of their cells."""
        cells = np.round(scores * self.cells)
        classes, scale = scores.shape[1], self.scale

        def draw(rng: np.random.Generator) -> Floats:
            return np.asarray(rng.normal(0, scale, classes))

        noise = _secret.drawn_for(cells, self.__dict__["_secret"], self.version, draw)
        return first_kept(on_simplex(scores + noise), scores.argmax(axis=1))

    def answer_values(self, values: Floats) -> Floats:
        """Values with the noise of their cells."""
        cells = np.round(values[:, None] * self.cells)

        def draw(rng: np.random.Generator) -> Floats:
            return np.asarray(rng.normal(0, self.scale, 1))

        return np.asarray(values + _secret.drawn_for(cells, self.__dict__["_secret"], self.version, draw)[:, 0])
