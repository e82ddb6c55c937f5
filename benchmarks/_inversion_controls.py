"""Silence where there is nothing to find, and how personal a picture is by the number of records of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from _inversion_people import World, digits, network, play, searched, trained, worlds
from common import Bars, at_least, at_most, table

from keepmum.attacks.inversion.boundary import Boundary
from keepmum.attacks.inversion.cmaes import Cmaes
from keepmum.attacks.inversion.gradient import Gradient
from keepmum.data import Records, Split
from keepmum.datasets import make_faces
from keepmum.findings import IDENTITY_LEVEL, NOTHING_BEYOND_PRIOR, RECORD_LEVEL
from keepmum.targets.torch import TorchTarget

SIZES = (1, 2, 5, 20)
GOALS = {1: 0.2, 20: 0.02}
"""Gap with a single record a class, at least; with twenty, at most."""
DRAWS = 5
PERSONS = 25
BY_CHANCE = 3 / PERSONS
"""More than three of 25 pictures are named right by chance in fewer than 2 of 100 tries."""
HEAD = ["records a class", "gap", "standard error", "gap above 0", "public mean: gap"]


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    silent, first = untrained()
    gaps, second = by_size(quick)
    return {**silent, **gaps}, [first, second]


def untrained() -> tuple[Bars, dict[str, Any]]:
    """A network whose weights are as they were drawn, asked for 25 people."""
    import torch

    X, y = make_faces(40, 10)
    world = next(worlds(X, y, PERSONS, 5))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        target = TorchTarget(network(X[0].size, PERSONS), np.arange(PERSONS))
    world = replace(world, target=target)
    runs = [
        play(kind(persons=True, shape=world.shape, prior=world.prior()), world) for kind in (Gradient, Cmaes, Boundary)
    ]
    rows = [
        [
            run.finding.id,
            *(f"{v:.2f}" for v in (*run.judges.values(), run.value("attackers_own_score"))),
            run.finding.verdict,
        ]
        for run in runs
    ]
    head = ["attack", *(f"named by {judge}" for judge in runs[0].judges), "model's confidence", "verdict"]
    note = f"{PERSONS} persons made by rule; chance is {1 / PERSONS:.2f}."
    leaks = sum(run.finding.verdict in (IDENTITY_LEVEL, RECORD_LEVEL) for run in runs)
    beyond = sum(run.finding.verdict != NOTHING_BEYOND_PRIOR for run in runs)
    return {
        "untrained_named_at_most": at_most(max(max(run.judges.values()) for run in runs), BY_CHANCE),
        "untrained_called_leak": at_most(leaks, 0),
        "untrained_called_more_than_nothing_beyond_prior": at_most(beyond, 0),
    }, table("A network that was trained on nobody", head, rows, note)


def by_size(quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Crossover gap of pictures of handwritten digits."""
    X, y, what = digits()
    rows, bars = [], {}
    for size in SIZES[:: 3 if quick else 1]:
        pairs = [pair for draw in range(1 if quick else DRAWS) for pair in pair_of_worlds(X, y, size, draw)]
        gaps = np.concatenate([crossover([picture_of(world) for world in pair], pair) for pair in pairs])
        mean = np.concatenate([crossover([public_mean(world) for world in pair], pair) for pair in pairs])
        error = gaps.std(ddof=1) / len(gaps) ** 0.5
        cells = [f"{v:.3f}" for v in (gaps.mean(), error)]
        rows.append([str(size), *cells, f"{(gaps > 0).mean():.0%}", f"{np.abs(mean).max():.3f}"])
        if size in GOALS:
            judge = at_least if size == 1 else at_most
            bars[f"gap_with_{size}_of_a_class"] = judge(gaps.mean(), GOALS[size])
        key = "gap_of_the_public_mean"
        bars[key] = at_most(max(float(np.abs(mean).max()), bars.get(key, {"value": 0.0})["value"]), 0.0)
    note = (
        f"{what}: five digits are the classes, the others the attacker's own images. Resemblance (correlation) to the "
        "nearest image that the model was trained on, less that to the nearest of as many of the same digit that it "
        f"never saw; mean over {len(gaps)} classes, each in two worlds in which the two sides are exchanged."
    )
    return bars, table("How personal a picture is", HEAD, rows, note)


def pair_of_worlds(X: np.ndarray, y: np.ndarray, size: int, draw: int) -> Iterator[tuple[World, World]]:
    rng = np.random.default_rng([draw, size])
    names = rng.permutation(10)
    flat = X.reshape(len(X), -1).astype(np.float32)
    halves: tuple[list[int], list[int]] = ([], [])
    for name in names[:5]:
        mine = rng.permutation(np.flatnonzero(y == name))
        halves[0].extend(mine[:size])
        halves[1].extend(mine[size : 2 * size])
    labels = np.repeat(np.arange(5), size)
    sides = [Records(flat[half], labels) for half in halves]
    others = rng.permutation(np.flatnonzero(np.isin(y, names[5:])))[:1000]
    public = Records(flat[others], np.zeros(len(others), dtype=np.intp))
    first, second = (
        World(trained(members, 5, draw), Split(members, heldout, public), X.shape[1:])
        for members, heldout in (sides, sides[::-1])
    )
    yield first, second


def picture_of(world: World) -> np.ndarray:
    """White-box pictures of all classes."""
    return searched(Gradient(shape=world.shape), world, np.arange(len(world.target.classes)))[0]


def public_mean(world: World) -> np.ndarray:
    return np.stack([world.images.mean(axis=0)] * len(world.target.classes))


def crossover(pictures: list[np.ndarray], pair: tuple[World, World]) -> np.ndarray:
    """For each class: nearer to the people of its own world than to those of the other, mean of both worlds."""
    return np.mean([gap(made, world) for made, world in zip(pictures, pair, strict=True)], axis=0)


def gap(pictures: np.ndarray, world: World) -> np.ndarray:
    seen = []
    for side in (world.split.members, world.split.nonmembers):
        flat = np.asarray(side.X, dtype=np.float64).reshape(len(side), -1)
        seen.append([nearest(picture.ravel(), flat[side.y == place]) for place, picture in enumerate(pictures)])
    return np.subtract(*seen)


def nearest(picture: np.ndarray, others: np.ndarray) -> float:
    return max(float(np.corrcoef(picture, other)[0, 1]) for other in others)
