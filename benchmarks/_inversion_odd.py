"""Models that break attacks: hundreds of classes, outputs of any scale, labels alone; and the count of queries."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from _inversion_people import PHOTOS, SHAPE, World, worlds
from common import Bars, at_least, at_most, table

from keepmum.attacks.inversion._image import ImageInversion
from keepmum.attacks.inversion.bandit import Bandit
from keepmum.attacks.inversion.boundary import Boundary
from keepmum.attacks.inversion.cmaes import Cmaes
from keepmum.attacks.inversion.gradient import Gradient
from keepmum.attacks.inversion.nes import Nes
from keepmum.attacks.inversion.oracle import Limits, Oracle
from keepmum.attacks.inversion.pool_select import PoolSelect
from keepmum.attacks.inversion.reinforce import Reinforce
from keepmum.attacks.inversion.spsa import Spsa
from keepmum.data import Records
from keepmum.datasets import make_faces
from keepmum.errors import TargetError
from keepmum.targets import FunctionScores, LabelTarget, ScoreTarget
from keepmum.targets.torch import TorchTarget

PERSONS, ASKED = 400, 25
RECIPE = {"hidden": 256, "epochs": 150, "lr": 3e-4}
"""A wider network that learns more slowly: with so many classes the one of the other parts learns nothing."""
START = 1e-4
"""Probability at the mean of the attacker's photos of the classes that are asked for."""
SURE = 0.9
"""Share of the classes that a white-box attack is to make the model sure of (above one half)."""
SCALE = 1_000.0
QUERIES = 300
COUNTED: tuple[type[ImageInversion[Any]], ...] = (Cmaes, Nes, Spsa, Reinforce, Bandit, Boundary, PoolSelect)


class Counting(ScoreTarget):
    """Passes questions on and counts the rows by itself."""

    def __init__(self, inner: ScoreTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.rows = inner, 0

    def _predict_proba(self, records: Records) -> np.ndarray:
        self.rows += len(records)
        return self.inner.predict_proba(records)


class Forbidding(ScoreTarget):
    """Tells labels, and raises when it is asked for probabilities."""

    def __init__(self, inner: LabelTarget) -> None:
        super().__init__(inner.classes)
        self.inner, self.rows = inner, 0

    def _predict_proba(self, records: Records) -> np.ndarray:
        raise AssertionError("probabilities were asked for")

    def _predict(self, records: Records) -> np.ndarray:
        self.rows += len(records)
        return self.inner.predict(records)


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    persons = 60 if quick else PERSONS
    X, y = make_faces(persons + 15, 2 * PHOTOS, SHAPE)
    world = next(worlds(X, y, persons, PHOTOS, **RECIPE))
    many, first = tiny(world, 5 if quick else ASKED)
    scaled, second = scales(world)
    exact, third = counts(world)
    return {**many, **scaled, **exact}, [first, second, third]


def tiny(world: World, asked: int) -> tuple[Bars, dict[str, Any]]:
    """Many classes: those about as likely where the search starts as the goal says, and the least likely ones."""
    mean = world.images.mean(axis=0)[None]
    told = Oracle(world.target, 0, world.split.members, world.shape, budget=1).probabilities(mean)[0]
    near = np.argsort(np.abs(np.log(told.clip(1e-300) / START)))[:asked]
    rows, bars = [], {"many_classes_start_probability": at_most(float(np.median(told[near])), 10 * START)}
    for attack in (Gradient(), Cmaes(queries=520)):
        for which, places in (("near", near), ("least likely", np.argsort(told)[:asked])):
            seen = [invert(attack, world, int(place)) for place in places]
            reached = np.array([confidence for confidence, _, _ in seen])
            sure, named = float((reached > 0.5).mean()), np.mean([hit for _, _, hit in seen])
            found = [f"{np.median(told[places]):.1g}", f"{named:.2f}", f"{sure:.2f}"]
            rows.append([f"{attack.id}, {which}", *found, f"{np.median(reached):.3f}", f"{reached.min():.2g}"])
            if which == "near":
                bars[f"many_classes_{attack.id.split('/')[1]}_sure_share"] = at_least(sure, SURE)
    note = (
        f"{len(told)} persons made by rule; accuracy of the model on held-out photos {world.accuracy:.2f}. Asked for: "
        f"the {asked} whose probability at the mean of the attacker's photos is nearest to {START:g}, and the {asked} "
        "that are least likely there. Sure: above one half."
    )
    head = [
        "attack, classes",
        "median start",
        "named by the model",
        "model sure of",
        "median confidence",
        "least confidence",
    ]
    return bars, table("Many classes, tiny probability at the start", head, rows, note)


def invert(attack: ImageInversion[Any], world: World, place: int) -> tuple[float, float, bool]:
    """Probability that the model gives the picture, the one that the attack reports, and whether no class has more."""
    oracle = Oracle(world.target, place, world.split.members, world.shape, budget=attack.queries)
    picture = attack.invert(oracle, world.prior(), np.random.default_rng(place))
    once_more = Oracle(world.target, place, world.split.members, world.shape, budget=1)
    told = once_more.probabilities(picture.image[None])[0]
    return float(told[place]), picture.confidence, bool(told.argmax() == place)


def scales(world: World) -> tuple[Bars, dict[str, Any]]:
    """The same network as it is, and with logits so large that every probability is 0 or 1."""
    rows, off = [], 0.0
    models = {"logits": world, "saturated": replace(world, target=louder(world.target))}
    for name, at in models.items():
        for attack in (Gradient(), Cmaes(queries=520)):
            seen = np.array([invert(attack, at, place) for place in range(5)])
            off = max(off, float(np.abs(seen[:, 0] - seen[:, 1]).max()))
            rows.append([f"{attack.id}, {name}", f"{(seen[:, 0] > 0.5).mean():.2f}", f"{seen[:, 1].mean():.3f}"])
    refused = [
        refusal(world, with_softmax(world.target)),
        refusal(world, FunctionScores(logits_of(world.target), world.target.classes)),
    ]
    note = (
        f"Five of the classes. A module that ends in softmax is refused: “{refused[0]}”. So is a function that returns "
        f"logits: “{refused[1]}”."
    )
    head = ["attack, model", "model sure of", "confidence as reported"]
    return {
        "logits_and_saturated_reported_confidence_off_by": at_most(off, 1e-6),
        "misread_outputs_accepted": at_most(sum(not words for words in refused), 0),
    }, table("Logits, softmax, saturation", head, rows, note)


def louder(target: Any) -> TorchTarget:
    import torch

    module = copy.deepcopy(target.internals)
    with torch.no_grad():
        for part in (module[-1].weight, module[-1].bias):
            part.mul_(SCALE)
    return TorchTarget(module, target.classes)


def with_softmax(target: Any) -> TorchTarget:
    import torch

    return TorchTarget(torch.nn.Sequential(*target.internals, torch.nn.Softmax(dim=1)), target.classes)


def logits_of(target: Any) -> Callable[[np.ndarray], np.ndarray]:
    import torch

    def logits(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(target.internals(torch.as_tensor(X)))

    return logits


def refusal(world: World, target: ScoreTarget) -> str:
    """What the target says when it is asked about people, or nothing if it answers."""
    try:
        target.predict_proba(world.split.members)
    except TargetError as err:
        return str(err)
    return ""


def counts(world: World) -> tuple[Bars, dict[str, Any]]:
    """Rows that the oracle counted against those that the model was asked about, and the budget."""
    rows, off, over, asked_scores = [], 0, 0, 0
    for kind in COUNTED:
        attack = kind(queries=QUERIES)
        at = (Forbidding if attack.asks_for == "labels" else Counting)(world.target)
        oracle = Oracle(at, 0, world.split.members, world.shape, budget=QUERIES, limits=Limits(access=attack.asks_for))
        try:
            attack.invert(oracle, world.prior(), np.random.default_rng(0))
        except AssertionError:
            asked_scores += 1
        off, over = max(off, abs(oracle.queries - at.rows)), max(over, at.rows - QUERIES)
        rows.append([attack.id, str(QUERIES), str(oracle.queries), str(at.rows)])
    head = ["attack", "budget", "counted", "asked"]
    note = "Attacks with labels alone are played against a model that raises when it is asked for probabilities."
    return {
        "queries_counted_off_by": at_most(off, 0),
        "queries_over_budget": at_most(max(over, 0), 0),
        "label_only_attacks_that_asked_for_probabilities": at_most(asked_scores, 0),
    }, table("Queries", head, rows, note)
