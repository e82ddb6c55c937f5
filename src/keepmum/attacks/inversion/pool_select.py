"""Image inversion without a search: the best of a pool of pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion._labels import BATCH, Plausible, Walk, meet, plausible
from keepmum.attacks.inversion._limits import Access
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion.oracle import FLOOR, Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.errors import ConfigError
from keepmum.targets._base import LabelTarget

FINALISTS = 2
"""Latents of a class that are asked about again in the end."""
ROUNDS = 3
"""Rounds of questions about pictures of the class; each goes on with the better half."""


@dataclass(frozen=True)
class PoolSelect(ImageInversion[LabelTarget]):
    """Best of a pool.

    The attacker draws pictures from what he knows of such pictures, asks about each, and keeps the one that the model
    finds most like the class. It is the cheapest attack, and what every search has to beat. All classes share the
    answers that each has paid for.

    With probabilities it is the one with the largest log-margin. With labels alone it is the one that keeps its label
    most often when its latents are moved a little: half of the queries find pictures of the class, the others move
    them, in rounds that each go on with the better half. What the best have in common is more of the class than any of
    them: if the model does not find the mean of their latents less like the class, that is the picture.

    Attributes:
      queries: Rows that are asked about for each class.
      best: How many are averaged; 1 for the best alone.
      shake: How far latents are moved, in standard deviations of a latent number of the prior's samples.

    Raises:
      ConfigError: None that are averaged, or a shake that is not above 0.

    References:
      Struppek, Hintersdorf, De Almeida Correia, Adler, Kersting. Plug & Play Attacks: Towards Robust and Flexible Model
      Inversion Attacks. ICML 2022, arXiv:2201.12179, on the initial selection among samples of the generator.
    """

    id: ClassVar[str] = "inversion/pool-select"
    needs: ClassVar[type[LabelTarget]] = LabelTarget
    asks_for: ClassVar[Access] = "scores"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2201.12179",)
    usual: ClassVar[bool] = True

    queries: int = 500
    best: int = 5
    shake: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.best < 1 or not 0 < self.shake < math.inf:
            raise ConfigError(f"expected best of at least 1 and a shake above 0, got {self.best} and {self.shake}")

    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class; by labels of a class that is never met, the prior's own start."""
        return self.invert_all([oracle], prior, rng)[0]

    def invert_all(self, oracles: Sequence[Oracle], prior: Prior, rng: np.random.Generator) -> list[Picture]:
        """The pictures of all classes, which share the pool that each has paid a part of."""
        walks = [Walk(oracle, prior, self.queries) for oracle in oracles]
        if oracles[0].access != "labels":
            return self._surest(walks, prior, rng)
        known, pools = plausible(prior, 0.0, rng), meet(walks, 0.5, self.queries * len(walks), rng)
        return [self._steadiest(walk, pool, known, rng) for walk, pool in zip(walks, pools, strict=True)]

    def _steadiest(self, walk: Walk, pool: Floats, known: Plausible, rng: np.random.Generator) -> Picture:
        """The samples of the pool, ``(n, d)``, that stay in the class most often when moved, and how often the best."""
        if not len(pool):
            return walk.picture(np.asarray(walk.prior.start(rng), dtype=np.float64), 0.0)
        kept, asked, at = np.ones(len(pool)), np.ones(len(pool)), np.arange(len(pool))
        for rounds_left in range(ROUNDS, 0, -1):
            granted = max(0, walk.left - 1) // rounds_left
            at = at[: max(1, granted)]
            times = granted // len(at)
            if times:
                moved = np.repeat(pool[at], times, axis=0)
                moved = moved + self.shake * known.spread * rng.standard_normal(moved.shape)
                kept[at] += walk.hits(moved).reshape(len(at), times).sum(axis=1)
                asked[at] += times
            at = at[np.argsort(-(kept / asked)[at], kind="stable")]
            walk.note(pool[at[0]], float(kept[at[0]] / asked[at[0]]))
            at = at if rounds_left == 1 else at[: max(self.best, len(at) // 2)]
        middle = pool[at[: self.best]].mean(axis=0)
        good = self.best > 1 and walk.left and walk.hits(middle[None])[0]
        return walk.picture(middle if good else pool[at[0]], float(kept[at[0]] / asked[at[0]]))

    def _surest(self, walks: Sequence[Walk], prior: Prior, rng: np.random.Generator) -> list[Picture]:
        """For each class the samples with the largest log-margins."""
        tops = [_Top(np.empty((0, prior.size)), np.empty(0), np.empty(0)) for _ in walks]
        while True:
            drawn, answers = [], []
            for walk in walks:
                if (n := min(BATCH, max(1, walk.total - FINALISTS) - walk.asked)) > 0:
                    drawn.append(prior.draw(n, rng))
                    answers.append(walk.probabilities(drawn[-1]))
            if not drawn:
                return [top.picture(walk) for top, walk in zip(tops, walks, strict=True)]
            latents, told = np.concatenate(drawn), np.concatenate(answers)
            margins = margins_of(told)
            for number, walk in enumerate(walks):
                place = walk.oracle.place
                tops[number] = tops[number].joined(latents, margins(place), told[:, place], self.best)
                walk.note(tops[number].latents[0], float(tops[number].shares[0]))


@dataclass(frozen=True, eq=False)
class _Top:
    """Samples with the largest log-margins so far, the best first.

    Attributes:
      latents: ``(m, d)``.
      margins: ``(m,)`` log-margins of the class.
      shares: ``(m,)`` its probabilities.
    """

    latents: Floats
    margins: Floats
    shares: Floats

    def joined(self, latents: Floats, margins: Floats, shares: Floats, best: int) -> _Top:
        """The best of these and others."""
        every = (self.latents, latents), (self.margins, margins), (self.shares, shares)
        latents, margins, shares = (np.concatenate(pair) for pair in every)
        order = np.argsort(-margins, kind="stable")[:best]
        return _Top(latents[order], margins[order], shares[order])

    def picture(self, walk: Walk) -> Picture:
        """The mean or the best, whichever the model finds more like the class when asked again.

        The best of many noisy answers is the luckiest, and so is no match for an average without a second answer.
        """
        some = [self.latents.mean(axis=0), self.latents[0]] if len(self.latents) > 1 else [self.latents[0]]
        finalists = np.stack(some)[-walk.left :] if walk.left else self.latents[:0]
        if not len(finalists):
            return walk.picture(self.latents[0], float(self.shares[0]))
        told, place = walk.probabilities(finalists), walk.oracle.place
        top = int(margins_of(told)(place).argmax())
        return walk.picture(finalists[top], float(told[top, place]))


def margins_of(answers: Floats) -> Callable[[int], Floats]:
    """Log-margins ``(m,)`` of any class, by its place, from answers ``(m, K)`` that are sorted once for all classes."""
    logs = np.log(answers.clip(FLOOR))
    first = logs.argmax(axis=1)
    second, largest = np.partition(logs, -2, axis=1)[:, -2:].T
    return lambda place: np.asarray(logs[:, place] - np.where(first == place, second, largest))
