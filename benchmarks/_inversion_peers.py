"""adversarial-robustness-toolbox's MIFace beside the white-box attack: same network, same persons, same evaluators."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import peers
from _inversion_people import PHOTOS, PRIVATE, World, faces, searched, ssim_to_means, studio, worlds
from common import Bars, at_least, table

from keepmum.attacks.inversion.gradient import Gradient
from keepmum.attacks.inversion.priors import PixelPrior

TOOL = "miface"
STEPS = 300
NOTE = (
    "{what}. MIFace of adversarial-robustness-toolbox 1.20.1 in an environment of its own: at most {steps} steps, "
    "threshold 0.999, else with the settings that it comes with. It has no prior, and starts from the mean of the "
    "attacker's photos or from zeros; it is given the network with a softmax at its end, and as it is. CPU seconds are "
    "those of the search for all persons, on one thread."
)


def measure(quick: bool, file: Path | None, make: bool) -> tuple[Bars, list[dict[str, Any]]]:
    X, y, what = faces(file, quick)
    world = next(worlds(X, y, 12 if quick else PRIVATE, PHOTOS))
    peers.TOOLS.setdefault(TOOL, "adversarial-robustness-toolbox 1.20.1 with torch")
    try:
        python = None if quick else peers.environment(TOOL, make)
    except SystemExit as err:
        print(err)
        python = None
    held = studio(Gradient(persons=True, shape=world.shape, prior=world.prior()), world)
    found = [(f"keepmum, {name}", *searched(attack, world, held.wanted)) for name, attack in ours(world).items()]
    theirs = [] if python is None else run(python, world)
    found += [(f"MIFace, {name}", pictures[held.wanted], cpu) for name, pictures, cpu in theirs]
    rows = []
    for name, pictures, cpu in found:
        seen = [*held.recognized(pictures).mean(axis=1), ssim_to_means(world, pictures, held.wanted)]
        rows.append([name, *seen, float(np.median(held.prior.distance(pictures))), cpu])
    judges = [f"named by {judge.name}" for judge in held.judges]
    head = ["attack", *judges, "SSIM to class mean", "prior distance", "CPU s"]
    shown = table("Beside another tool", head, [[r[0], *(f"{v:.2f}" for v in r[1:])] for r in rows], note(what, theirs))
    return bars(rows), [shown]


def ours(world: World) -> dict[str, Gradient]:
    """The attack as it comes, and MI-Face's own prior and loss: pixels, cross-entropy."""
    pixels = PixelPrior(world.shape, 0.0, 1.0, start="mean", public=world.images)
    return {
        "gradient with 40 eigenfaces": Gradient(prior=world.prior()),
        "gradient in pixels, cross-entropy": Gradient(prior=pixels, loss="cross-entropy"),
    }


def note(what: str, theirs: list[Any]) -> str:
    told = NOTE.format(what=what, steps=STEPS)
    return told if theirs else f"{told} MIFace was not played: its environment is not there."


def bars(rows: list[list[Any]]) -> Bars:
    """The attack as it comes against the best of the other tool; nothing to compare with, no bars."""
    theirs = [row for row in rows if row[0].startswith("MIFace")]
    if not theirs:
        return {}
    mine = rows[0]
    return {
        "ssim_over_miface": at_least(mine[-3] - max(row[-3] for row in theirs), 0.0),
        "named_by_both_evaluators_over_miface": at_least(min(mine[1:-3]) - max(min(row[1:-3]) for row in theirs), 0.0),
    }


def run(python: Path, world: World) -> list[tuple[str, np.ndarray, float]]:
    """Pictures of every class, in the order of the classes, and CPU seconds."""
    module = world.target.internals
    weights = {
        f"{letter}{place}": getattr(layer, name).detach().numpy()
        for place, layer in ((0, module[0]), (1, module[2]))
        for letter, name in (("w", "weight"), ("b", "bias"))
    }
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "faces.npz", mean=world.images.mean(axis=0).ravel(), steps=STEPS, **weights)
        outside = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        environ = {**outside, **dict.fromkeys(peers.THREADS, "1"), "PYTHONWARNINGS": "ignore"}
        words = [str(python), str(peers.HERE / "run_miface.py"), folder]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"MIFace failed:\n{done.stderr[-2000:]}")
        cpu = json.loads(done.stdout.strip().splitlines()[-1])["cpu"]
        with np.load(Path(folder) / "miface.npz") as made:
            return [(name, made[name].reshape(-1, *world.shape).astype(np.float64), cpu[name]) for name in made.files]
