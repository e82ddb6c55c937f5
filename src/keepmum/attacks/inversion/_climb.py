"""What searches by queries have in common: a purse, a score, the best so far and the way there."""

from __future__ import annotations

import math

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._search import margin
from keepmum.attacks.inversion.oracle import Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import BudgetError, ConfigError

FINALISTS = 2
"""Latents that are asked about again in the end: the best of many noisy answers is the luckiest, not the best."""
SURE = 0.5
"""Probability above which the model takes a picture for the class rather than for all others together."""
DRAWS = 16
"""Samples of the prior at least that tell how far apart latents lie."""
MARKS = 4
"""Pictures that are kept along the way for each tenfold of queries."""


def check_search(pool: int, weight: float, **positive: float) -> None:
    """Check what every search by queries can be told.

    Raises:
      ConfigError: A negative pool or weight, or a setting of ``positive`` that is not above zero.
    """
    if pool < 0 or not 0 <= weight < math.inf:
        raise ConfigError(f"expected a pool and a weight of 0 or more, got {pool} and {weight}")
    for name, value in positive.items():
        if not 0 < value < math.inf:
            raise ConfigError(f"expected {name.replace('_', ' ')} above 0, got {value}")


class Climb:
    """Asks about latents and climbs to where the model is sure of the class and the prior finds it usual.

    The score is the log-margin ``log p_c - max log p_j`` plus the weighted log density of the prior for each latent
    number. The margin has a slope also where the class is all but impossible, and where it is all but certain.

    Args:
      oracle: Who is asked; its class is the one to be pictured.
      prior: Where pictures are looked for.
      queries: Latents that may be asked about at most; the oracle's budget may allow fewer. A latent that is asked
        about several times because of the oracle's repeats counts once.
      weight: Weight of the prior.
      remember: Whether all answers are kept.

    Attributes:
      own: The prior's own start, ``(d,)``; set by `start`.
      heard: Latents ``(m, d)`` and answers ``(m, K)`` of every question so far, if they are kept.
      spread: Root mean square distance of a latent number of a prior sample from its mean; set by `start`.

    Raises:
      BudgetError: Nothing may be asked at all.
    """

    def __init__(self, oracle: Oracle, prior: Prior, queries: int, weight: float, *, remember: bool = False) -> None:
        self.oracle, self.prior, self.weight, self.spread = oracle, prior, weight, 1.0
        self._total = min(queries, oracle.left // oracle.repeats)
        if self._total < 1:
            raise BudgetError(
                f"expected a budget of at least {oracle.repeats} rows, got {min(queries, oracle.left)}: raise it"
            )
        self.heard: list[tuple[Floats, Floats]] = []
        self.own, self._remember = np.zeros(prior.size), remember
        self._asked = 0
        self._best: tuple[float, float, Floats] | None = None
        self._trace: list[tuple[int, float, Floats]] = []
        self._mark = 0

    @property
    def left(self) -> int:
        """Latents that may still be asked about, less those that `picture` asks about."""
        return max(0, self._total - self._asked - FINALISTS)

    @property
    def progress(self) -> float:
        """Share of the queries that is spent, 0 … 1."""
        return self._asked / self._total

    def scores(self, latents: Floats) -> Floats:
        """Scores of latents ``(m, d)``, at most `left` of them, shape ``(m,)``: higher = better."""
        scores, _ = self._ask(latents)
        return scores

    def start(self, pool: int, rng: np.random.Generator) -> Floats:
        """Where to begin, ``(d,)``: the best of some prior samples and the prior's start, or the middle of the best.

        Where rounded answers or a saturated model make the landscape flat, these are what gives a first direction.

        Args:
          pool: Latents that are asked about, the prior's start among them; at most a quarter of the queries. 0 for the
            prior's start.
          rng: Where they are drawn from.
        """
        self.own = own = np.asarray(self.prior.start(rng), dtype=np.float64)
        drawn = np.asarray(self.prior.draw(max(DRAWS, pool), rng), dtype=np.float64)
        self.spread = math.sqrt(float(drawn.var(axis=0).mean())) or 1.0
        pool = min(pool, self._total // 4, self.left - 1)
        if pool < 1:
            return own
        asked = np.concatenate([own[None], drawn[: pool - 1]])
        scores = self.scores(asked)
        best = np.argsort(-scores, kind="stable")[: max(1, pool // DRAWS)]
        middle = np.asarray(asked[best].mean(axis=0))
        # The middle is no start where the class is out of sight but for one lucky sample.
        return middle if len(best) > 1 and self.scores(middle[None])[0] >= scores[best[0]] else asked[best[0]]

    def picture(self, *finalists: Floats) -> Picture:
        """The better of the best latent so far and where the search ended, both asked about once more.

        One that the model is sure of is better than one that it is not; else the score decides.

        Args:
          finalists: ``(d,)`` latents where the search ended, at most one.
        """
        some = [*finalists, *([self._best[2]] if self._best else [])]
        every = np.stack(some)[: max(0, self._total - self._asked)]
        if len(every) == FINALISTS and np.array_equal(*every):
            every = every[:1]
        scores, confidences = self._ask(every, note=False)
        top = int(np.lexsort((scores, confidences > SURE))[-1])
        image = self.prior.decode(every[[top]])[0]
        way = [*self._trace, (self.oracle.queries, float(confidences[top]), image)]
        return Picture(image, every[top], float(confidences[top]), tuple(way))

    def _ask(self, latents: Floats, *, note: bool = True) -> tuple[Floats, Floats]:
        images = self.prior.decode(latents)
        answers = self.oracle.probabilities(images)
        self._asked += len(latents)
        if self._remember:
            self.heard.append((latents, answers))
        confidences = answers[:, self.oracle.place]
        usual = self.weight * self.prior.log_density(latents) / self.prior.size if self.weight else 0.0
        scores = np.asarray(margin(answers, self.oracle.place) + usual)
        if note:
            self._note(latents, scores, confidences)
        return scores, confidences

    def _note(self, latents: Floats, scores: Floats, confidences: Floats) -> None:
        """Keep the best, and its picture when enough queries have gone by since the last."""
        for i, score in enumerate(scores.tolist()):
            if self._best is None or score > self._best[0]:
                self._best = (score, float(confidences[i]), latents[i].copy())
            later = len(scores) - 1 - i
            if self._asked - later >= self._mark:
                _, confidence, latent = self._best
                image = self.prior.decode(latent[None])[0]
                self._trace.append((self.oracle.queries - later * self.oracle.repeats, confidence, image))
                self._mark = math.ceil((self._asked - later) * 10 ** (1 / MARKS))
