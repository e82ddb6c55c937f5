"""Noise that recognizers take for a person: pixels moved without a prior must not count as a likeness."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from _inversion_people import PHOTOS, PRIVATE, Played, faces, play, worlds
from common import Bars, at_least, at_most, table

from keepmum.attacks.inversion.nes import Nes
from keepmum.attacks.inversion.priors import PixelPrior
from keepmum.findings import IDENTITY_LEVEL, RECORD_LEVEL

FOOLED = 0.5
"""Share of noise pictures that the more gullible evaluator names right, so that there is something to be marked."""
QUERIES = 2_000
NOTE = (
    "{what}; 2,000 queries a class. In pixels the search starts at the mean of the attacker's own photos and nothing "
    "keeps the result a face: an evaluator may name it, and the prior distance tells that it is none. What the audit "
    "says of it: “{said}”"
)


def measure(quick: bool, file: Path | None) -> tuple[Bars, list[dict[str, Any]]]:
    X, y, what = faces(file, quick)
    world = next(worlds(X, y, 12 if quick else PRIVATE, PHOTOS))
    pixels = PixelPrior(world.shape, 0.0, 1.0, start="mean", public=world.images)
    priors = {"pixels": pixels, "40 eigenfaces": world.prior()}
    runs = {
        name: play(Nes(queries=QUERIES, persons=True, shape=world.shape, prior=prior), world)
        for name, prior in priors.items()
    }
    judges = list(runs["pixels"].judges)
    head = ["prior", *(f"named by {judge}" for judge in judges), "prior distance", "of real photos", "verdict"]
    rows = [[name, *row(run)] for name, run in runs.items()]
    noise = runs["pixels"]
    called = noise.finding.verdict in (IDENTITY_LEVEL, RECORD_LEVEL)
    bars = {
        "pixel_nes_named_by_an_evaluator": at_least(max(noise.judges.values()), FOOLED),
        "pixel_nes_prior_distance_over_that_of_photos": at_least(unlikely(noise), 1.0),
        "pixel_nes_called_identity_level": at_most(called, 0),
        "nes_with_eigenfaces_prior_distance_over_that_of_photos": at_most(unlikely(runs["40 eigenfaces"]), 1.0),
    }
    return bars, [
        table("Noise that recognizers name", head, rows, NOTE.format(what=what, said=noise.finding.explanation))
    ]


def unlikely(run: Played) -> float:
    """Prior distance as a multiple of what all but one in a hundred held-out photos have."""
    return run.value("prior_distance") / run.value("prior_distance_of_images")


def row(run: Played) -> list[str]:
    named = [f"{value:.2f}" for value in run.judges.values()]
    distances = [f"{run.value(name):.2f}" for name in ("prior_distance", "prior_distance_of_images")]
    return [*named, *distances, run.finding.verdict]
