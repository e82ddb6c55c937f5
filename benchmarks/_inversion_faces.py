"""Recognizable faces from a recognizer: every attack, two worlds, evaluators trained on held-out photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from _inversion_people import NETWORK, PHOTOS, PRIVATE, Played, World, faces, play, ssim_to_means, studio, worlds
from common import Bars, at_least, at_most, table

from keepmum.attacks.inversion._image import POOL, ImageInversion
from keepmum.attacks.inversion.bandit import Bandit
from keepmum.attacks.inversion.boundary import Boundary
from keepmum.attacks.inversion.cmaes import Cmaes
from keepmum.attacks.inversion.gradient import Gradient
from keepmum.attacks.inversion.inverse_network import InverseNetwork
from keepmum.attacks.inversion.nes import Nes
from keepmum.attacks.inversion.pool_select import PoolSelect
from keepmum.attacks.inversion.reinforce import Reinforce
from keepmum.attacks.inversion.spsa import Spsa

ATTACKS: dict[str, tuple[type[ImageInversion[Any]], int]] = {
    "gradient": (Gradient, 1_000),
    "cmaes": (Cmaes, 520),
    "reinforce": (Reinforce, 2_000),
    "boundary": (Boundary, 4_000),
    "nes": (Nes, 2_000),
    "spsa": (Spsa, 2_000),
    "bandit": (Bandit, 2_000),
    "inverse_network": (InverseNetwork, 500),
    "pool_select": (PoolSelect, 500),
}
"""Attacks, and the queries for each class that they are granted."""
GOALS = {"gradient": (0.65, 0.65), "cmaes": (0.60, 0.65), "reinforce": (0.55, 0.55), "boundary": (0.50, 0.50)}
"""Share of the pictures that an evaluator is to name right: the second number for ``lda``, the first for any other."""
SSIM, CPU = 0.6, 60.0
CONTROLS = {
    "public_mean": "mean of the attacker's own photos",
    "best_public_image": "the attacker's photo that the model likes best",
    "best_prior_sample": f"best of {POOL} samples of the prior",
}
NOTE = (
    "{what}: {private} persons whom the model knows, by {photos} photos each; {photos} more of each are held out for "
    "the evaluators. Prior: 40 eigenfaces of {public} photos of other people. Target: {network}; accuracy on held-out "
    "photos {accuracy:.2f}. Means over two worlds, in which the halves are exchanged; chance is {chance:.3f}, a "
    "standard error at most {error:.2f}. Own accuracy of the evaluators: {judges}. CPU seconds are those of all "
    "classes of a world on one thread, with the controls and the training of the evaluators."
)
HEAD = ["picture", "queries a class", "CPU s", "model's confidence", "SSIM to class mean", "prior distance", "verdict"]


def measure(quick: bool, file: Path | None) -> tuple[Bars, list[dict[str, Any]]]:
    X, y, what = faces(file, quick)
    private = 12 if quick else PRIVATE
    both = list(worlds(X, y, private, PHOTOS))[: 1 if quick else 2]
    chosen = {name: ATTACKS[name] for name in (GOALS if quick else ATTACKS)}
    found: dict[str, list[Played]] = {}
    for name, (kind, queries) in chosen.items():
        found[name] = [play(attack(kind, queries, world), world) for world in both]
        print(f"  {name}: {found[name][0].finding.explanation}", flush=True)
    first = found["gradient"][0]
    note = NOTE.format(
        what=what,
        private=private,
        photos=PHOTOS,
        public=len(both[0].images),
        network=NETWORK,
        accuracy=np.mean([world.accuracy for world in both]),
        chance=1 / private,
        error=0.5 / private**0.5,
        judges=", ".join(
            f"{k.removeprefix('accuracy_of_')} {v.value:.2f}"
            for k, v in first.finding.control.items()
            if k.startswith("accuracy_of_")
        ),
    )
    judges = list(first.judges)
    head = [HEAD[0], *(f"named by {judge}" for judge in judges), *HEAD[1:]]
    rows = [*controls(both, judges), *(row(name, runs, judges) for name, runs in found.items())]
    return bars(found), [table("Faces of people whom the model knows", head, rows, note)]


def attack(kind: type[ImageInversion[Any]], queries: int, world: World) -> ImageInversion[Any]:
    return kind(queries=queries, persons=True, shape=world.shape, prior=world.prior())


def asked(played: Played) -> float:
    """Rows that were asked about for each class by the attack itself, without those of its controls."""
    return (played.finding.queries - POOL - len(played.world.images)) / len(played.places)


def row(name: str, runs: list[Played], judges: list[str]) -> list[Any]:
    def mean(of: Any) -> str:
        return f"{np.mean([of(played) for played in runs]):.2f}"

    verdicts = sorted({played.finding.verdict for played in runs})
    named = [mean(lambda played, judge=judge: played.judges[judge]) for judge in judges]
    rest = [mean(lambda played: played.value("attackers_own_score")), mean(lambda played: played.ssim)]
    cost = [f"{max(map(asked, runs)):,.0f}", f"{max(played.cpu for played in runs):.1f}"]
    return [name, *named, *cost, *rest, mean(lambda played: played.value("prior_distance")), ", ".join(verdicts)]


def controls(both: list[World], judges: list[str]) -> list[list[Any]]:
    """Pictures that no search made."""
    rows = []
    held = [studio(attack(Cmaes, 520, world), world) for world in both]
    for name, words in CONTROLS.items():
        hits = np.mean([each.recognized(each.controls[name]).mean(axis=1) for each in held], axis=0)
        pairs = zip(both, held, strict=True)
        ssim = np.mean([ssim_to_means(world, each.controls[name], each.wanted) for world, each in pairs])
        distance = np.mean([np.median(each.prior.distance(each.controls[name])) for each in held])
        rows.append([words, *(f"{hit:.2f}" for hit in hits), "", "", "", f"{ssim:.2f}", f"{distance:.2f}", ""])
    return rows


def bars(found: dict[str, list[Played]]) -> Bars:
    """One bar for each figure that has a goal."""
    made: Bars = {}
    for name, goals in GOALS.items():
        runs = found[name]
        for judge in runs[0].judges:
            goal = goals[judge == "lda"]
            made[f"faces_{name}_named_by_{judge}"] = at_least(np.mean([run.judges[judge] for run in runs]), goal)
        if name == "gradient":
            made["faces_gradient_ssim_to_class_mean"] = at_least(np.mean([run.ssim for run in runs]), SSIM)
        else:
            made[f"faces_{name}_queries_a_class"] = at_most(max(map(asked, runs)), ATTACKS[name][1])
        made[f"faces_{name}_cpu_seconds"] = at_most(max(run.cpu for run in runs), CPU)
    return made
