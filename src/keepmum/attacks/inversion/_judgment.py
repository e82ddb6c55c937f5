"""Whom is a picture like? Better than no model, better than for people it never saw, a person or a class."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks.inversion import _base as family
from keepmum.attacks.inversion._base import Floats, Resemblance
from keepmum.attacks.inversion._nearer import nearer_p_value
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._progress import progress
from keepmum.attacks.inversion._resemblance import psnr, rank_by_class_means, ssim
from keepmum.attacks.inversion._studio import Studio
from keepmum.errors import DataError, MissingExtraError
from keepmum.stats import Estimate
from keepmum.stats.intervals import clopper_pearson
from keepmum.stats.paired import paired_error_p_value, paired_hit_difference

ODD = 0.99
"""A picture that is farther from the prior than this share of held-out images is odd."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """What some pictures show, one row a class."""

    hits: NDArray[np.bool_]
    likeness: Floats
    nearest: Floats


def _look(studio: Studio, pictures: Floats) -> _Seen:
    nearest = np.array([part.max() for part in studio.likeness(pictures, "members")])
    return _Seen(np.asarray(studio.recognized(pictures).all(axis=0)), studio.to_mean(pictures), nearest)


def judged(studio: Studio, pictures: Sequence[Picture], *, persons: bool) -> Resemblance:
    """Verdict, numbers and words about the pictures of an attack."""
    images = np.stack([picture.image for picture in pictures])
    seen = _look(studio, images)
    without = {name: _look(studio, control) for name, control in studio.controls.items()}
    best = max(without, key=lambda name: (without[name].hits.mean(), without[name].likeness.mean()))
    distance = studio.prior.distance(images)
    limit = float(np.quantile(studio.prior.distance(studio.images[studio.heldout]), ODD))
    natural = float(np.median(distance)) <= limit
    fewer = max(paired_hit_difference(seen.hits, one.hits)[1] for one in without.values())
    identified = fewer if natural else 1.0
    alike = max(paired_error_p_value(1 - seen.likeness, 1 - one.likeness) for one in without.values())
    nearer = nearer_p_value(*_distances(studio, images), np.random.default_rng([studio.seed, 0x6E656172]))
    beyond = max(paired_error_p_value(1 - seen.nearest, 1 - one.nearest) for one in without.values())
    record = max(nearer, beyond)
    p_value = min(1.0, 2 * min(identified, record)) if persons else record
    verdict = _verdict(p_value, record, min(identified, alike), persons=persons)
    return Resemblance(
        explanation=_words(studio, seen, without[best], verdict, natural=natural),
        p_value=p_value,
        verdict=verdict,
        metrics={
            "identified": clopper_pearson(int(seen.hits.sum()), len(seen.hits)),
            **_more(studio, images),
            **_by_pixels(studio, images),
            "resemblance": family.mean(seen.nearest, -1.0, 1.0),
            "resemblance_to_class_mean": family.mean(seen.likeness, -1.0, 1.0),
            "prior_distance": family.median(distance),
            "prior_distance_of_images": Estimate(limit, limit, limit),
            "attackers_own_score": family.mean(np.array([picture.confidence for picture in pictures]), 0.0, 1.0),
            "people_per_class": _exactly(float(np.median(studio.records))),
        },
        baseline=_told(without[best]),
        progress=progress(studio, pictures),
        control={
            "resemblance": family.mean(_nearest_alike(studio, images, "others"), -1.0, 1.0),
            "resemblance_to_strangers": family.mean(studio.to_strangers(images), -1.0, 1.0),
            **{f"accuracy_of_{judge.name}": judge.accuracy for judge in studio.judges if judge.accuracy is not None},
        },
    )


def _verdict(p_value: float, record: float, anything: float, *, persons: bool) -> str:
    if p_value <= family.LEVEL:
        return family.RECORD if not persons or record <= family.LEVEL / 2 else family.PERSON
    return family.CLASS if anything <= family.LEVEL else family.NOTHING


def _told(seen: _Seen) -> dict[str, Estimate]:
    return {
        "identified": clopper_pearson(int(seen.hits.sum()), len(seen.hits)),
        "resemblance": family.mean(seen.nearest, -1.0, 1.0),
        "resemblance_to_class_mean": family.mean(seen.likeness, -1.0, 1.0),
    }


def _more(studio: Studio, images: Floats) -> dict[str, Estimate]:
    """What each judge says by itself, and among its first five."""
    found = {}
    for k in (1, 5):
        for judge, hits in zip(studio.judges, studio.recognized(images, k), strict=True):
            found[f"identified_by_{judge.name}{'' if k == 1 else '_in_5'}"] = clopper_pearson(
                int(hits.sum()), len(hits)
            )
    return found


def _by_pixels(studio: Studio, images: Floats) -> dict[str, Estimate]:
    """What no recognizer has a say in: the rank of the class's mean image, and likeness to it."""
    ranks = rank_by_class_means(images, studio.means, np.arange(len(images)))
    found = {"identified_by_class_mean": clopper_pearson(int((ranks == 1).sum()), len(ranks))}
    ends = studio.prior.low, studio.prior.high
    with suppress(MissingExtraError, DataError):  # without scikit-image, or of images a pixel or two wide
        found["ssim_to_class_mean"] = family.mean(ssim(images, studio.means, *ends), -1.0, 1.0)
    found["psnr_to_class_mean"] = family.median(psnr(images, studio.means, *ends))
    return found


def _distances(studio: Studio, images: Floats) -> tuple[list[Floats], list[Floats]]:
    """Distances of the pictures to members and to held-out people, class by class."""
    members, others = ([1 - part for part in studio.likeness(images, side)] for side in ("members", "others"))
    return members, others


def _nearest_alike(studio: Studio, images: Floats, side: str) -> Floats:
    """Nearest of as many people of a side as there are members."""
    sizes = [len(mates.members) for mates in studio.chosen]
    return np.array([part[:size].max() for part, size in zip(studio.likeness(images, side), sizes, strict=True)])


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)


def _words(studio: Studio, seen: _Seen, control: _Seen, verdict: str, *, natural: bool) -> str:
    """What the pictures show, to a lay person."""
    said = {
        family.RECORD: "are nearer to the very images it was trained on than to other images of the same class",
        family.PERSON: "show the person that a class is, whom nobody could draw without the model",
        family.CLASS: "tell what a class looks like, and nothing about the trained images in particular",
        family.NOTHING: "show no more than could be drawn without the model",
    }[verdict]
    odd = (
        ""
        if natural or verdict == family.RECORD
        else " They are unlike any image of this kind: patterns that fool recognizers, not likenesses."
    )
    few, hits = int(np.median(studio.records)), len(seen.hits)
    return (
        f"Pictures drawn from the model {said} ({verdict}): recognizers that never saw its training data name the "
        f"right class for {seen.hits.mean():.0%} of {hits} pictures, for {control.hits.mean():.0%} of the best without "
        f"a search; half of the classes were trained on {few} or fewer images.{odd}"
    )
