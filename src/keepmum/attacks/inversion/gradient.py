"""Image inversion by gradient descent, with the weights at hand."""

from __future__ import annotations

from dataclasses import dataclass
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
"""Views of each restart's picture that the model is asked about to choose among them."""
FEWEST_STEPS = 50
"""Steps that each restart should have; with fewer queries there are fewer restarts."""
AWAY = 0.3
"""Share of the way to a sample of the prior that a restart begins at: what is odd about the sample stays in the end."""


@dataclass(frozen=True)
class Gradient(ImageInversion[GradientTarget]):
    """Gradient descent.

    The attacker has the model itself and changes a picture, pixel by pixel or along what the prior can draw, in the
    direction that makes the model surer of a class. Several starts are tried, and the picture of which the model stays
    surest when it is shifted, cropped, mirrored, brightened or darkened is kept.

    A start is done when the wanted confidence is reached *and* the objective no longer falls, or when it has not
    fallen for `patience` steps. A class whose probability is tiny at first, as with hundreds of classes, takes every
    step that it needs.

    Deviations from the paper: Adam in the prior's latent space instead of plain descent in pixels; the cross-entropy
    instead of ``1 - p``, whose gradient vanishes where the class is all but impossible; the prior's log density is
    climbed too; restarts. With a `PixelPrior` it is the paper's attack, whose Process is the prior's `refine`.

    Attributes:
      queries: Rows that are asked about for each class: gradients, and answers to choose among restarts.
      loss: ``"cross-entropy"``, ``"margin"`` or ``"logit"``; see `Oracle.gradient`. The margin goes on where the model
        is sure already, to a caricature; it wants a larger weight of the prior.
      weight: Weight of the prior's log density for each latent number.
      rate: Size of a step, in standard deviations of a latent number; of pixels, as a share of their range.
      steps: Steps at most.
      patience: Steps without a gain after which a start is given up.
      confidence: The model's probability of the class that is wanted.
      restarts: Starts: the prior's own, and others on the way from there to random samples of the prior.

    Raises:
      ConfigError: No such loss, or a setting out of range.

    References:
      Fredrikson, Jha, Ristenpart. Model Inversion Attacks that Exploit Confidence Information and Basic
      Countermeasures. CCS 2015, doi:10.1145/2810103.2813677, algorithm 1.
      Struppek, Hintersdorf, De Almeida Correia, Adler, Kersting. Plug & Play Attacks: Towards Robust and Flexible Model
      Inversion Attacks. ICML 2022, arXiv:2201.12179: the choice among restarts.
    """

    id: ClassVar[str] = "inversion/gradient"
    needs: ClassVar[type[GradientTarget]] = GradientTarget
    references: ClassVar[tuple[str, ...]] = ("doi:10.1145/2810103.2813677", "arXiv:2201.12179")
    usual: ClassVar[bool] = True
    asks_for: ClassVar[Access] = "gradients"

    queries: int = 1_000
    loss: Loss = "cross-entropy"
    weight: float = 0.1
    rate: float = 0.05
    steps: int = 200
    patience: int = 50
    confidence: float = 0.999
    restarts: int = 3

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
        starts = self._starts(oracle, prior, rng)
        reserve = oracle.repeats * (1 + (len(starts) * VIEWS if len(starts) > 1 else 0))
        rule = Rule(self.loss, self.weight, self.rate, self.steps, self.patience, self.confidence)
        descent = Descent(oracle, prior, rule, reserve)
        ends, _ = descent.run(starts)
        top = 0
        if len(ends) > 1:
            top = int(robustness(oracle, prior.decode(ends), VIEWS, (prior.low, prior.high), rng).argmax())
        image = prior.decode(ends[[top]])
        confidence = float(oracle.confidence(image)[0])
        return Picture(image[0], ends[top], confidence, (*descent.trace, (oracle.queries, confidence, image[0])))

    def _starts(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Floats:
        """As many as there are queries for, ``(r, d)``."""
        affordable = oracle.left // (FEWEST_STEPS + VIEWS * oracle.repeats)
        own = np.asarray(prior.start(rng), dtype=np.float64)[None]
        more = min(self.restarts, max(1, affordable)) - 1
        return np.concatenate([own, own + AWAY * (prior.draw(more, rng) - own)]) if more else own
