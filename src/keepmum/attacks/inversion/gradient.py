"""Image inversion by gradient descent, with the weights at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._descent import Descent, Rule
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._limits import Access
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._robust import robustness
from keepmum.attacks.inversion.oracle import Loss, Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import GradientTarget

VIEWS = 10
"""Views of each picture that the model is asked about to choose among them."""
FEWEST_STEPS = 50
"""Steps that each start should have; with fewer queries there are fewer starts."""
SURE = 0.5
"""Probability above which the model takes what the ends have in common for the class rather than for all others."""
UNSURE = 0.25
"""Share of the prior's weight where the model is not sure of what the ends have in common: the prior held them back."""
Way = Sequence[tuple[int, float, Floats]]


@dataclass(frozen=True)
class Gradient(ImageInversion[GradientTarget]):
    """Gradient descent.

    The attacker has the model itself and changes a picture, pixel by pixel or along what the prior can draw, in the
    direction that makes the model surer of a class. Several pictures are changed like this, each from another sample of
    what the prior can draw. What is odd about a sample stays in its end; what the ends have in common is what the model
    asked for. So the mean of their latents is the picture.

    The samples come in pairs, one on each side of the prior's own start, so that the mean starts there. Their steps
    shrink to nothing. Each end is about the point of the class that is nearest to a sample of the prior, hence nearly a
    sample of what the prior and the model together believe of the class, and their mean the picture that is expected.

    If the model is not sure of that picture, a descent leads on from there, with a quarter of the prior's weight. It is
    done when the wanted confidence is reached *and* the objective no longer falls, or when it has not fallen for
    `patience` steps. A class whose probability is tiny at first, as with hundreds of classes, takes every step that it
    needs. If the model is still not sure, the picture of all ends is kept of which it stays surest when it is shifted,
    cropped, mirrored, brightened or darkened. With a single start, at the prior's own, there is nothing but a descent
    from there with all of the weight.

    Deviations from the papers: Adam in the prior's latent space instead of plain descent in pixels; the cross-entropy
    instead of ``1 - p``, whose gradient vanishes where the class is all but impossible; the prior's log density is
    climbed too; several starts and their mean, where others choose one of the ends. With a `PixelPrior` and one start
    it is the attack of Fredrikson et al., whose Process is the prior's `refine`.

    Attributes:
      queries: Rows that are asked about for each class: gradients, and answers to choose among pictures.
      loss: ``"cross-entropy"``, ``"margin"`` or ``"logit"``; see `Oracle.gradient`. The margin goes on where the model
        is sure already, to a caricature; it wants a larger weight of the prior.
      weight: Weight of the prior's log density for each latent number.
      rate: Size of the first step, in standard deviations of a latent number; of pixels, as a share of their range.
      steps: Steps of a start at most, and of the descent that leads on from the mean of the ends.
      patience: Steps without a gain after which a start is given up.
      confidence: The model's probability of the class that is wanted.
      restarts: Samples of the prior to start from, rounded down to pairs; 1 for the prior's own start. Fewer where
        there are not 50 queries for each.

    Raises:
      ConfigError: No such loss, or a setting out of range.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, doi:10.1145/2810103.2813677, algorithm 1.
      Struppek, Hintersdorf, De Almeida Correia, Adler, Kersting. Plug & Play Attacks: Towards Robust and Flexible Model
      Inversion Attacks. ICML 2022, arXiv:2201.12179: several starts, and the choice by robustness.
    """

    id: ClassVar[str] = "inversion/gradient"
    needs: ClassVar[type[GradientTarget]] = GradientTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/2810103.2813677", "arXiv:2201.12179")
    usual: ClassVar[bool] = True
    asks_for: ClassVar[Access] = "gradients"

    queries: int = 1_000
    loss: Loss = "cross-entropy"
    weight: float = 0.3
    rate: float = 0.05
    steps: int = 100
    patience: int = 50
    confidence: float = 0.999
    restarts: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in ("margin", "cross-entropy", "logit"):
            raise ConfigError(f"expected the loss margin, cross-entropy or logit, got {self.loss!r}")
        if not 0 <= self.weight < np.inf or not 0 < self.rate < np.inf:
            raise ConfigError(f"expected a weight of 0 or more and a rate above 0, got {self.weight} and {self.rate}")
        if min(self.steps, self.patience, self.restarts) < 1 or not 0 < self.confidence <= 1:
            raise ConfigError(
                "expected at least one step, one step of patience and one start, and a confidence above 0, up to 1, "
                f"got {self.steps}, {self.patience}, {self.restarts} and {self.confidence}"
            )

    def counted(self, target: GradientTarget) -> int:
        """The answer to each image, and the gradient of each cross-entropy in the loss."""
        return {"cross-entropy": 2, "margin": 3, "logit": 1 + len(target.classes)}[self.loss]

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class.

        Raises:
          NotApplicableError: The model or the prior tells no gradients.
          BudgetError: Nothing may be asked at all.
        """
        starts, once = self._starts(oracle, prior, rng), oracle.repeats
        if len(starts) == 1:
            ends, way = self._descended(oracle, prior, starts, once)
            return _picture(oracle, prior, ends[0], way)
        choice = (len(starts) + 1) * VIEWS * once + once
        ends, way = self._descended(oracle, prior, starts, choice + FEWEST_STEPS + 2 * once, averaged=True)
        picture = _picture(oracle, prior, ends.mean(axis=0), way)
        if picture.confidence > SURE:
            return picture
        bolder = replace(self, weight=UNSURE * self.weight)
        led, way = bolder._descended(oracle, prior, picture.latent[None], choice + once)
        picture = _picture(oracle, prior, led[0], (*picture.trace, *way))
        if picture.confidence > SURE:
            return picture
        every = np.concatenate([led, ends])
        top = int(robustness(oracle, prior.decode(every), VIEWS, (prior.low, prior.high), rng).argmax())
        return _picture(oracle, prior, every[top], picture.trace)

    def _descended(
        self, oracle: Oracle, prior: Prior, starts: Floats, reserve: int, *, averaged: bool = False
    ) -> tuple[Floats, Way]:
        """Where a descent that leaves so many queries alone comes to its ends, ``(r, d)``, and the way there."""
        steps = min(self.steps, max(1, (oracle.left - reserve) // len(starts)))
        rule = Rule(self.loss, self.weight, self.rate, steps, self.patience, self.confidence, averaged)
        descent = Descent(oracle, prior, rule, reserve)
        ends, _ = descent.run(starts)
        return ends, descent.trace

    def _starts(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Floats:
        """Pairs around the prior's own start, as many as there are queries for; else that start, ``(r, d)``."""
        own = np.asarray(prior.start(rng), dtype=np.float64)[None]
        each = VIEWS * oracle.repeats
        affordable = (oracle.left - FEWEST_STEPS - each - 3 * oracle.repeats) // (FEWEST_STEPS + each)
        pairs = min(self.restarts, affordable) // 2
        if pairs < 1:
            return own
        off = prior.draw(pairs, rng) - own
        return np.concatenate([own + off, own - off])


def _picture(oracle: Oracle, prior: Prior, latent: Floats, way: Way) -> Picture:
    """What a latent ``(d,)`` draws; the model is asked about it."""
    image = prior.decode(latent[None])
    confidence = float(oracle.confidence(image)[0])
    return Picture(image[0], latent, confidence, (*way, (oracle.queries, confidence, image[0])))
