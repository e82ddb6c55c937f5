"""Image inversion by a regression from the model's answers back to images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._inverse import Inverse
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import FLOOR, Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import BudgetError, ConfigError
from keepmum.targets._base import ScoreTarget

SURER = np.concatenate([np.zeros(1), np.geomspace(1.0, 64.0, 9)])
"""How sure the ideal answers are that are tried, in standard deviations of the probes' own answers."""
FEWEST_PROBES, MOST_PROBES = 2, 10_000
"""Probes that a regression needs at least, and that it takes at most."""


@dataclass(frozen=True)
class InverseNetwork(ImageInversion[ScoreTarget]):
    """Inverse network.

    The attacker shows the model many pictures of other people and learns to tell from the answer what the picture was.
    Then they put in the answer that the model would give about a class if it were sure, and look at what comes out.

    One pass of probes serves all classes, which share its cost evenly. The regression is from log-probabilities, less
    their mean, to the prior's latent numbers: linear (ridge) or, with `hidden`, a network with one hidden layer. Since
    no probe is answered as surely as wanted, answers of growing sureness are put in, and the model is asked which of
    the pictures it takes for the class.

    Deviations from the paper: it learns a network from truncated answers straight to pixels, on as many images as can
    be had. Here the prior draws the probes and its latent numbers are learned, for which a few hundred probes do.

    Attributes:
      queries: Rows that are asked about for each class: the probes, and the pictures that are chosen among.
      hidden: Units of the hidden layer; 0 for ridge regression.
      ridge: Weight of the squared coefficients, as a share of the answers' own variance.
      weight: Weight of the prior's log density for each latent number, in the choice among pictures.

    Raises:
      ConfigError: A setting out of range.

    References:
      Yang, Zhang, Chang, Liang. Neural Network Inversion in Adversarial Setting via Background Knowledge Alignment. CCS
      2019, doi:10.1145/3319535.3354261, arXiv:1902.08552.
    """

    id: ClassVar[str] = "inversion/inverse-network"
    needs: ClassVar[type[ScoreTarget]] = ScoreTarget
    references: ClassVar[tuple[str, ...]] = ("arXiv:1902.08552", "doi:10.1145/3319535.3354261")

    queries: int = 50
    hidden: int = 0
    ridge: float = 0.1
    weight: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.hidden < 0 or not 0 < self.ridge < np.inf or not 0 <= self.weight < np.inf:
            raise ConfigError(
                "expected hidden units and a weight of 0 or more, and a ridge above 0, got "
                f"{self.hidden}, {self.weight} and {self.ridge}"
            )

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of one class, which pays for all probes by itself."""
        return self.invert_all([oracle], prior, rng)[0]

    def invert_all(self, oracles: Sequence[Oracle], prior: Prior, rng: np.random.Generator) -> list[Picture]:
        """The pictures of all classes from one pass of probes.

        Args:
          oracles: The same model, asked for one class each.
          prior: Draws the probes; its latent numbers are learned.
          rng: Where probes are drawn from.

        Raises:
          BudgetError: Too few queries are left for two probes and a picture.
          NotApplicableError: Only labels are told.
        """
        latents, answers = _probed(oracles, prior, rng)
        inverse = Inverse(answers, latents, self.ridge, self.hidden, int(rng.integers(2**31)))
        return [self._choose(oracle, prior, inverse) for oracle in oracles]

    def _choose(self, oracle: Oracle, prior: Prior, inverse: Inverse) -> Picture:
        """The best of the pictures that the regression takes answers of growing sureness for."""
        latents = inverse.ideal(oracle.place, SURER[: max(1, oracle.left // oracle.repeats)])
        images, before = prior.decode(latents), oracle.queries
        confidences = oracle.confidence(images)
        usual = self.weight * prior.log_density(latents) / prior.size
        top = int((np.log(np.maximum(confidences, FLOOR)) + usual).argmax())
        start = (before + oracle.repeats, float(confidences[0]), images[0])
        way = (start, (oracle.queries, float(confidences[top]), images[top]))
        return Picture(images[top], latents[top], float(confidences[top]), way)


def _probed(oracles: Sequence[Oracle], prior: Prior, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Latents ``(n, d)`` and answers ``(n, K)`` of probes; every oracle pays for as many, and keeps its last pictures.

    Raises:
      BudgetError: Not even two probes and a picture of each class can be paid for.
    """
    each = [
        max(0, oracle.left // oracle.repeats - len(SURER)) or oracle.left // oracle.repeats - 1 for oracle in oracles
    ]
    if sum(each) < FEWEST_PROBES or min(each) < 0:
        raise BudgetError(
            f"expected queries for {FEWEST_PROBES} probes and a picture of each class, got {oracles[0].left} a class: "
            "raise the budget"
        )
    latents, answers = [], []
    for oracle, n in zip(oracles, np.minimum(each, MOST_PROBES // len(oracles) + 1).tolist(), strict=True):
        latents.append(np.asarray(prior.draw(n, rng), dtype=np.float64))
        answers.append(oracle.probabilities(prior.decode(latents[-1])))
    return np.concatenate(latents), np.concatenate(answers)
