"""The inversion game on images: everything about it but the technique."""

from __future__ import annotations

import time
import zlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, final

import numpy as np

from keepmum.attacks._base import Context
from keepmum.attacks.inversion._base import Floats, InversionAttack, Resemblance
from keepmum.attacks.inversion._diversity import AGAIN, diversity
from keepmum.attacks.inversion._judgment import judged
from keepmum.attacks.inversion._layout import as_images, fits, seen_in
from keepmum.attacks.inversion._likeness import Classmates, classmates
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._recipe import Pixels, PriorRecipe, checked_pixels, refuse_images
from keepmum.attacks.inversion._sides import sides
from keepmum.attacks.inversion._studio import Studio
from keepmum.attacks.inversion.oracle import Access, Limits, Oracle
from keepmum.attacks.inversion.priors import Prior
from keepmum.choices import Effort
from keepmum.data import Records, Split
from keepmum.errors import ConfigError, DataError, NotApplicableError
from keepmum.targets._base import LabelTarget, Target

T = TypeVar("T", bound=LabelTarget)

FEWEST_QUERIES = 10
POOL = 200
"""Public images, and samples of the prior, that the model is asked about for the controls: the best of each."""


@dataclass(frozen=True)
class ImageInversion(InversionAttack[T]):
    """What do the pictures of a class look like? Subclasses search a prior's latent space for the model's favorite.

    The prior is the attacker's own: fitted on the population, else on half of the people the model never saw. The
    other half are held out: they train the evaluators, and a picture has to be nearer to the trained people than to
    them to tell of records rather than of the class.

    Attributes:
      usual: Whether audits of images play it without being asked to.
      asks_for: What it asks the model for: ``gradients``, ``scores`` or ``labels``; it is given no more.
      queries: Rows that are asked about for each class; an audit takes more or fewer for its effort.
      classes: Classes that are reconstructed at most, drawn at random.
      persons: Whether a class is a person: a recognizable picture then shows somebody.
      shape: Shape of one image, ``(h, w)`` or ``(h, w, c)``, where records are flattened.
      pixels: The darkest and the brightest value of a pixel, which all images are held to; those seen if None.
      prior: What the attacker knows of such images; by the recipe from their own if None.
      recipe: The kind of prior that is fitted to the attacker's own images: principal components unless said.
      limits: What the model's owner does to the answers: fewer, rounded, noisy.
      repeats: How often every answer is asked for, to average noise away.
      seeds: Searches with randomness of their own; those beyond the first draw a few of the classes again, or all
        where classes share queries, and tell how different pictures of the same class are (``diversity``).
      remember: Whether an image that was asked about before costs nothing; never where answers are noisy or repeated.

    Raises:
      ConfigError: Fewer than 10 queries, no class, no seed, or no shape of an image.
    """

    usual: ClassVar[bool] = False
    asks_for: ClassVar[Access] = "scores"

    queries: int = 500
    classes: int = 25
    persons: bool = False
    shape: tuple[int, ...] = ()
    pixels: Pixels | None = None
    prior: Prior | None = field(default=None, repr=False)
    recipe: PriorRecipe = field(default_factory=PriorRecipe)
    limits: Limits = field(default_factory=Limits)
    repeats: int = 1
    seeds: int = 1
    remember: bool = True

    def __post_init__(self) -> None:
        if self.queries < FEWEST_QUERIES or min(self.classes, self.repeats, self.seeds) < 1:
            raise ConfigError(
                f"expected at least {FEWEST_QUERIES} queries a class, one class, one repeat and one seed, got "
                f"{self.queries}, {self.classes}, {self.repeats} and {self.seeds}"
            )
        if self.shape and (len(self.shape) not in (2, 3) or min(self.shape) < 1):
            raise ConfigError(f"expected the shape of an image, (h, w) or (h, w, c), got {self.shape}")
        object.__setattr__(self, "pixels", checked_pixels(self.pixels))

    @abstractmethod
    def invert(self, oracle: Oracle, prior: Prior, rng: np.random.Generator) -> Picture:
        """The picture of the oracle's class; asks no more than the oracle's budget allows."""

    def invert_all(self, oracles: Sequence[Oracle], prior: Prior, rng: np.random.Generator) -> list[Picture]:
        """The pictures of all classes, one oracle each; where classes share queries, the technique says how."""
        return [self.invert(oracle, prior, rng) for oracle in oracles]

    def inapplicable(self, target: Target) -> str | None:
        """Why this attack cannot be played here, or None."""
        if getattr(target, "inner", target).recorded:
            return "needs the model itself: recorded answers know only the recorded records"
        return super().inapplicable(target)

    def fits(self, records: Records, effort: Effort) -> bool:
        """Records are images; of the searches that come to the same, one each is played unless effort is thorough."""
        return super().fits(records, effort) and (self.usual or effort is Effort.THOROUGH)

    def unsuited(self, records: Records) -> str | None:
        """Why the records are no images, or None."""
        try:
            self.image_shape(records)
        except NotApplicableError as err:
            return str(err)
        return None

    def asks(self, target: T) -> int:
        """So many for each class that is reconstructed, with every seed, and the samples that are a control."""
        searches = self._searches(min(self.classes, len(target.classes)))
        return self.counted(target) * self.queries * self.repeats * searches + 2 * POOL

    def counted(self, target: T) -> int:
        """Rows that the target counts for one query, at most."""
        return 1

    def paced(self, effort: Effort) -> ImageInversion[T]:
        """The same attack with the queries that an audit of this effort grants, unless it has a number of its own."""
        default = type(self)().queries
        granted = max(FEWEST_QUERIES, default * effort.rows // Effort.STANDARD.rows)
        return replace(self, queries=granted) if self.queries == default else self

    def told(self, images: Mapping[str, Any]) -> ImageInversion[T]:
        """The same attack with what was said about all pictures of an audit: fields by name, and the prior's."""
        own = {name: value for name, value in images.items() if name not in ("prior", "components")}
        if len(own) < len(images):
            components = images.get("components", self.recipe.components)
            own |= {"prior": None, "recipe": PriorRecipe(images.get("prior", self.recipe.kind), components)}
        return replace(self, **own)

    def refuse(self, data: Split) -> None:
        """Images of one shape, within the declared range; what is no image at all is another matter.

        Raises:
          DataError: They are not as they are declared to be.
        """
        if self.unsuited(data.members) is None:
            refuse_images(data, self.pixels)

    @final
    def reconstruct(self, target: T, data: Split, ctx: Context) -> Resemblance:
        """Search a picture of each class, then see whom it is like."""
        studio, chosen = self._studio(target, data, ctx)
        each, few = self._each(target, len(chosen), ctx), self._again(len(chosen))

        def search(wanted: list[Classmates], seed: int, rng: np.random.Generator) -> list[Picture]:
            oracles = [
                Oracle(
                    target,
                    mates.place,
                    data.members,
                    studio.shape,
                    budget=each,
                    repeats=self.repeats,
                    limits=replace(self._limits, seed=self._limits.seed + seed),
                    remember=self.remember,
                )
                for mates in wanted
            ]
            return self.invert_all(oracles, studio.prior, rng)

        began = time.perf_counter()
        pictures = search(chosen, 0, ctx.rng)
        ctx.seconds[self.name] = (time.perf_counter() - began) / len(chosen)
        others = [search(chosen[:few], seed, self._rng(ctx, seed)) for seed in range(1, self.seeds)]
        ctx.pictures[self.name] = studio.gallery(pictures)
        seen = judged(studio, pictures, persons=self.persons)
        runs = [np.stack([picture.image for picture in run[:few]]) for run in (pictures, *others)]
        return replace(seen, metrics={**seen.metrics, "diversity": diversity(runs)}) if others else seen

    def _searches(self, classes: int) -> int:
        """Searches for a picture of a class, of all seeds, where so many classes are reconstructed."""
        return classes + (self.seeds - 1) * self._again(classes)

    def _again(self, classes: int) -> int:
        """Classes that each further seed draws: searches that share queries find less where they are fewer."""
        alone = type(self).invert_all is ImageInversion.invert_all
        return min(AGAIN, classes) if alone else classes

    def _rng(self, ctx: Context, seed: int) -> np.random.Generator:
        return np.random.default_rng([ctx.seed, zlib.crc32(self.name.encode()), 0x73656564, seed])

    @property
    def _limits(self) -> Limits:
        return self.limits.at_most(self.asks_for)

    def _studio(self, target: T, data: Split, ctx: Context) -> tuple[Studio, list[Classmates]]:
        shape = self.image_shape(data.members)
        public, others = sides(data, ctx, "images", 0x696D6167)
        _refuse_overlap(public, data.members if ctx.trained_on is None else ctx.trained_on)
        members, strangers = (target.positions(side.y) for side in (data.members, others))
        same = np.random.default_rng([ctx.seed, 0x636C6173])  # every attack of an audit draws the same classes
        chosen = classmates(members, strangers, 0, self.classes, same)
        images = _images(public, shape)
        prior = self.prior or self._prior(images, ctx)
        if tuple(prior.shape) != shape:
            raise ConfigError(f"expected a prior of images of shape {shape}, got one of {tuple(prior.shape)}")
        given = data.members if ctx.trained_on is None else ctx.trained_on
        trained = target.positions(given.y)
        everyone = np.concatenate([_images(side, shape) for side in (data.members, others)])
        pool = prior.decode(prior.draw(POOL, ctx.rng))
        studio = Studio(
            shape=shape,
            prior=prior,
            images=everyone,
            places=np.concatenate([members, strangers]),
            chosen=chosen,
            public=images,
            best_public=self._favorites(target, data.members, images[:POOL], chosen),
            best_sample=self._favorites(target, data.members, pool, chosen),
            trained=_images(given, shape),
            records=np.array([int((trained == mates.place).sum()) for mates in chosen]),
            seed=ctx.seed,
            shared=ctx.games,
        )
        return studio, chosen

    def _prior(self, images: Floats, ctx: Context) -> Prior:
        """By the recipe; attacks of one audit share it."""
        name = f"prior {self.recipe} {self.pixels} {images.shape}"
        if name not in ctx.games:
            ctx.games[name] = self.recipe.fit(images, self.pixels, ctx.seed)
        prior: Prior = ctx.games[name]
        return prior

    def image_shape(self, records: Records) -> tuple[int, ...]:
        """Shape of one image.

        Raises:
          NotApplicableError: The records are no images, as far as can be seen.
          DataError: They do not have the declared shape.
        """
        X = records.X
        there = tuple(getattr(X, "shape", ()))[1:]
        if not isinstance(X, np.ndarray) or X.dtype.kind not in "fiub" or not there:
            raise NotApplicableError("needs images: an array of numbers of shape (n, h, w) or (n, h, w, c)")
        if self.shape:
            if not fits(there, tuple(self.shape)):
                raise DataError(f"expected records that are images of shape {self.shape}, got rows of shape {there}")
            return tuple(self.shape)
        if len(there) not in (2, 3):
            raise NotApplicableError(
                "needs images: an array of shape (n, h, w) or (n, h, w, c), or the shape of one where they are flat"
            )
        return seen_in(there)

    def _favorites(self, target: T, like: Records, images: Floats, chosen: Sequence[Classmates]) -> Floats:
        """For each class the image that the model finds most like it, ``(C, *shape)``, as far as it is asked."""
        oracle = Oracle(target, chosen[0].place, like, images.shape[1:], budget=None, limits=self._limits)
        if oracle.access == "labels":
            answers = np.eye(len(target.classes))[oracle.labels(images)]
        else:
            answers = oracle.probabilities(images)
        return images[[int(answers[:, mates.place].argmax()) for mates in chosen]]

    def _each(self, target: T, classes: int, ctx: Context) -> int:
        """Queries for each class.

        Raises:
          NotApplicableError: Too few are left.
        """
        each = self.queries * self.repeats
        if ctx.queries_left is not None:
            each = min(each, (ctx.queries_left - 2 * POOL) // (self._searches(classes) * self.counted(target)))
        if each < FEWEST_QUERIES:
            raise NotApplicableError(
                f"needs {FEWEST_QUERIES} queries for each of {classes} classes; {ctx.queries_left:,} may be spent"
            )
        return each


def _images(records: Records, shape: tuple[int, ...]) -> Floats:
    return as_images(records.X, shape)


def _refuse_overlap(public: Records, trained: Records) -> None:
    """A prior that holds the trained images has nothing left to reconstruct.

    Raises:
      DataError: Some image is among both.
    """
    rows = {row.tobytes() for row in np.ascontiguousarray(trained.X)}
    both = sum(row.tobytes() in rows for row in np.ascontiguousarray(public.X))
    if both:
        raise DataError(
            f"{both} images are the attacker's own and in the training data too: give a population without them"
        )
