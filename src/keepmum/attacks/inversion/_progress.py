"""What a search had after so many queries: a curve of success for the report, a film for the closed folder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keepmum.attacks.inversion import _base as family
from keepmum.attacks.inversion._base import Floats
from keepmum.attacks.inversion._pictures import Picture
from keepmum.attacks.inversion._studio import Studio
from keepmum.findings import Mark
from keepmum.stats.intervals import clopper_pearson

MARKS = (10, 30, 100, 300, 1_000, 3_000, 10_000)
"""Queries a class after which pictures are judged, as far as a search goes; its end is judged too."""


def progress(studio: Studio, pictures: Sequence[Picture]) -> tuple[Mark, ...]:
    """What the pictures were like along the way, the fewest queries first.

    A picture is the last that the search kept at that time. A class of which it had none yet counts as what the
    attacker has without the model: the mean of the public images. A class whose search ended earlier counts with its
    result. The last mark is the end of the longest search, where all pictures are the results.
    """
    end = max((picture.trace[-1][0] for picture in pictures if picture.trace), default=0)
    marks = [mark for mark in MARKS if mark < end]
    way = [_mark(studio, mark, [picture.after(mark) for picture in pictures]) for mark in marks]
    return (*way, _mark(studio, end, [(picture.confidence, picture.image) for picture in pictures])) if end else ()


def _mark(studio: Studio, queries: int, found: Sequence[tuple[float, Floats] | None]) -> Mark:
    own = np.array([step[0] for step in found if step is not None])
    images = np.stack([studio.public.mean(axis=0) if step is None else step[1] for step in found])
    hits = np.asarray(studio.recognized(images).all(axis=0))
    return Mark(
        queries,
        {
            "identified": clopper_pearson(int(hits.sum()), len(hits)),
            "resemblance_to_class_mean": family.mean(studio.to_mean(images), -1.0, 1.0),
            **({"attackers_own_score": family.mean(own, 0.0, 1.0)} if len(own) else {}),
        },
    )
