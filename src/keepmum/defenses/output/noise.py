"""Answers with noise that is drawn anew each time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from keepmum.defenses._base import OutputDefense
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats

Kind = Literal["gaussian", "laplace"]


def on_simplex(values: Floats) -> Floats:
    """Rows cut off at 0 and made to sum to 1; equal probabilities where nothing is left."""
    cut = np.maximum(values, 0.0)
    total = cut.sum(axis=1, keepdims=True)
    even = np.full_like(cut, 1 / cut.shape[1])
    return np.asarray(np.where(total > 0, cut / np.where(total > 0, total, 1.0), even))


@dataclass(frozen=True)
class Noise(OutputDefense):
    """Adds noise to each answer, drawn anew, as it is often taught.

    Whoever asks the same again averages it away: the defense measures as it does only for an attacker who asks once. It
    may change the label.

    Attributes:
      scale: Standard deviation (of Laplace noise, its scale), above 0; of a regression model's values in their units.
      kind: ``"gaussian"`` or ``"laplace"``.
      seed: For tests and audits alone: whoever knows it takes the noise out.

    Raises:
      ConfigError: A scale that is not above 0, or an unknown kind.
    """

    id: ClassVar[str] = "output/noise"
    keeps_label: ClassVar[bool] = False
    repeatable: ClassVar[bool] = False

    scale: float = 0.05
    kind: Kind = "gaussian"
    seed: int | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.scale > 0 or self.kind not in get_args(Kind):
            raise ConfigError(
                f"expected a scale above 0 and {' or '.join(get_args(Kind))} noise, got {self.scale} and {self.kind!r}"
            )
        object.__setattr__(self, "_rng", np.random.default_rng(self.seed))

    def drawn_from(self, seed: int) -> Noise:
        """The same with a seed of its own, unless it has one."""
        return replace(self, seed=seed) if self.seed is None else self

    def answer(self, scores: Floats) -> Floats:
        """Rows with noise, cut off at 0 and made to sum to 1."""
        return on_simplex(scores + self._drawn(scores))

    def answer_values(self, values: Floats) -> Floats:
        """Values with noise."""
        return values + self._drawn(values)

    def _drawn(self, answers: Floats) -> Floats:
        rng: np.random.Generator = self.__dict__["_rng"]
        draw = rng.normal if self.kind == "gaussian" else rng.laplace
        return np.asarray(draw(0, self.scale, answers.shape))
