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
from _inversion_people import PHOTOS, PRIVATE, World, faces, play, ssim_to_means, studio, worlds
from common import Bars, at_least, table

from keepmum.attacks.inversion.gradient import Gradient

TOOL = "miface"
STEPS = 300
NOTE = (
    "{what}. MIFace of adversarial-robustness-toolbox 1.20.1 in an environment of its own: at most {steps} steps, "
    "threshold 0.999, else with the settings that it comes with. It has no prior, and starts from the mean of the "
    "attacker's photos or from zeros; it is given the network with a softmax at its end, and as it is. CPU seconds are "
    "those of all persons on one thread; those of keepmum include controls and evaluators."
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
    attack = Gradient(persons=True, shape=world.shape, prior=world.prior())
    ours = play(attack, world)
    mine = [*ours.judges.values(), ours.ssim]
    rows = [["keepmum, gradient", *mine, ours.cpu]]
    theirs = [] if python is None else run(python, world)
    held = studio(attack, world)
    for name, pictures, cpu in theirs:
        named = held.recognized(pictures).mean(axis=1)
        rows.append([f"MIFace, {name}", *named, ssim_to_means(world, pictures, held.wanted), cpu])
    head = ["attack", *(f"named by {judge}" for judge in ours.judges), "SSIM to class mean", "CPU s"]
    shown = table("Beside another tool", head, [[r[0], *(f"{v:.2f}" for v in r[1:])] for r in rows], note(what, theirs))
    return bars(rows), [shown]


def note(what: str, theirs: list[Any]) -> str:
    told = NOTE.format(what=what, steps=STEPS)
    return told if theirs else f"{told} MIFace was not played: its environment is not there."


def bars(rows: list[list[Any]]) -> Bars:
    """Nothing to compare with, no bars."""
    if len(rows) < 2:
        return {}
    mine, *others = rows
    return {
        "ssim_over_miface": at_least(mine[-2] - max(row[-2] for row in others), 0.0),
        "named_by_both_evaluators_over_miface": at_least(min(mine[1:-2]) - max(min(row[1:-2]) for row in others), 0.0),
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
