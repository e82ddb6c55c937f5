"""All that pictures are held against: people trained on, people held out, recognizers, pictures without a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._evaluators import Evaluator, evaluators
from keepmum.attacks.inversion._likeness import Classmates
from keepmum.attacks.inversion._pictures import Gallery, Picture, film
from keepmum.attacks.inversion._resemblance import correlation
from keepmum.attacks.inversion.priors import Prior


@dataclass(frozen=True, eq=False)
class Studio:
    """All that pictures are held against.

    Attributes:
      shape: Of one image.
      prior: What the attacker knows of such images.
      images: ``(n, *shape)`` members, then held-out people.
      places: ``(n,)`` their classes.
      chosen: The classes that are reconstructed, with places in `images`.
      public: ``(p, *shape)`` the attacker's own images.
      best_public: ``(C, *shape)`` for each class the public image that the model finds most like it.
      best_sample: ``(C, *shape)`` the same among samples of the prior.
      trained: ``(t, *shape)`` everyone whom the model was trained on.
      records: ``(C,)`` people trained on of each class.
      seed: Seed of the audit.
      shared: What attacks of one audit share: the evaluators, which are the same for all.
    """

    shape: tuple[int, ...]
    prior: Prior
    images: Floats
    places: NDArray[np.intp]
    chosen: list[Classmates]
    public: Floats
    best_public: Floats
    best_sample: Floats
    trained: Floats
    records: NDArray[np.intp]
    seed: int
    shared: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def wanted(self) -> NDArray[np.intp]:
        """``(C,)`` classes of the pictures."""
        return np.array([mates.place for mates in self.chosen], dtype=np.intp)

    @cached_property
    def heldout(self) -> NDArray[np.intp]:
        """Places of all held-out people of the chosen classes."""
        return np.concatenate([mates.others for mates in self.chosen])

    @property
    def judges(self) -> tuple[Evaluator, ...]:
        """Recognizers of the classes, trained on held-out images and on none that the model was trained on."""
        name = f"evaluators {self.shape} {self.heldout.tolist()}"
        if name not in self.shared:
            self.shared[name] = evaluators(
                self.images[self.heldout],
                self.places[self.heldout],
                self.wanted,
                self.shape,
                self.seed,
                trained=self.trained,
            )
        judges: tuple[Evaluator, ...] = self.shared[name]
        return judges

    @cached_property
    def controls(self) -> dict[str, Floats]:
        """Pictures that no search made, by name, ``(C, *shape)`` each."""
        mean = np.broadcast_to(self.public.mean(axis=0), self.best_public.shape)
        return {"public_mean": mean, "best_public_image": self.best_public, "best_prior_sample": self.best_sample}

    def recognized(self, pictures: Floats, k: int = 1) -> NDArray[np.bool_]:
        """``(judges, C)`` whether each judge has the class among its first k."""
        return np.stack([judge.top(pictures, self.wanted, k) for judge in self.judges])

    def likeness(self, pictures: Floats, side: str) -> list[Floats]:
        """For each class the correlations of its picture with its people on a side."""
        return [
            correlation(picture[None], self.images[getattr(mates, side)])[0]
            for picture, mates in zip(pictures, self.chosen, strict=True)
        ]

    @cached_property
    def means(self) -> Floats:
        """``(C, *shape)`` mean held-out image of each class."""
        return np.stack([self.images[mates.others].mean(axis=0) for mates in self.chosen])

    def to_mean(self, pictures: Floats) -> Floats:
        """``(C,)`` correlation of each picture with the mean held-out image of its class."""
        return np.asarray(np.diagonal(correlation(pictures, self.means)))

    def to_strangers(self, pictures: Floats) -> Floats:
        """``(C,)`` correlation of each picture with the nearest held-out person of another class."""
        alike = correlation(pictures, self.images[self.heldout])
        other = self.places[self.heldout] != self.wanted[:, None]
        return np.asarray(np.where(other, alike, -1.0).max(axis=1))

    def gallery(self, pictures: Sequence[Picture]) -> Gallery:
        """Pictures with the people that they are nearest to."""
        results = np.stack([picture.image for picture in pictures])
        nearest = {}
        for side in ("members", "others"):
            found = [int(likeness.argmax()) for likeness in self.likeness(results, side)]
            nearest[side] = np.stack(
                [self.images[getattr(m, side)[row]] for m, row in zip(self.chosen, found, strict=True)]
            )
        starts = np.stack([p.trace[0][2] if p.trace else p.image for p in pictures])
        sides, low, high = (nearest["members"], nearest["others"], self.best_sample), self.prior.low, self.prior.high
        return Gallery(self.wanted, results, starts, *sides, low, high, *film(pictures, (low + high) / 2))
