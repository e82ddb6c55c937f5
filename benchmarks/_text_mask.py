"""A masked model of clinic notes: what it fills in, by how often a note was read, and behind another's name."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _text_models import masked
from common import Bars, at_least, at_most, table

from keepmum.attacks import Context
from keepmum.cli._notes import Scale, attacks, clinic, job
from keepmum.findings import EXTRACTABLE, Finding

FULL = Scale()
QUICK = Scale(30, 4, (1, 64), 7, (("epochs", 8), ("batch", 16), ("layers", 2), ("width", 96)))
PSEUDO = "mask-pseudo-log-likelihood"


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    scale = QUICK if quick else FULL
    secrets = clinic(scale, 0)
    target, made = masked(job(scale, secrets, 0))
    found, rows = {}, []
    for attack in attacks(scale):
        name, began = attack.id.split("/")[1], time.process_time()
        found[name] = attack.run(target, secrets.split, Context(secrets=secrets).lend(attack.name))
        took = time.process_time() - began
        rows += lines(name, found[name], took)
        print(f"  {attack.id}: {found[name].verdict}, {took:.1f} CPU s", flush=True)
    weights = sum(parameter.numel() for parameter in target.model.parameters())
    shown = table(
        "Masks in clinic notes",
        ["attack", "note read", "bits", "bits behind another's name", "ahead of all", "AUC", "CPU s"],
        rows,
        f"A model in the manner of BERT with {weights:,} parameters, trained on {scale.documents} paragraphs and the "
        f"notes of {len(secrets.planted)} made-up patients ({made.seconds:.0f} CPU s on "
        f"one thread). A fact is held against up to {scale.decoys} others of its kind; bits say how far it is ahead of "
        "guessing.",
    )
    return bars(found), [shown]


def lines(name: str, finding: Finding, took: float) -> list[list[str]]:
    """A row for each number of repeats, and one for the twins."""
    parts = [(f"{s.value} ×", s.metrics) for s in finding.slices if s.column == "repeats"]
    made = []
    for label, metrics in [*parts, ("never", finding.control)]:
        told = [str(metrics[each]) for each in ("bits", "bits_swapped", "first")]
        made.append([name if not made else "", label, *told, str(metrics.get("auc", "")), ""])
    made[0][-1] = f"{took:.1f}"
    return made


def bars(found: dict[str, Finding]) -> Bars:
    """One bar for each figure that has a goal."""
    best = found[PSEUDO]
    parts = sorted((s for s in best.slices if s.column == "repeats"), key=lambda s: int(s.value))
    bits = np.array([s.metrics["bits"].value for s in parts])
    rise = np.polyfit(np.log2([int(s.value) for s in parts]), bits, 1)[0]
    return {
        "mask_rise_of_bits_with_each_doubling": at_least(float(rise), 0.1),
        "mask_64_times_auc": at_least(parts[-1].metrics["auc"].value, 0.9),
        "mask_64_times_ahead_of_all": at_least(parts[-1].metrics["first"].value, 0.5),
        "mask_association_of_the_planted": at_least(best.metrics["association"].low, 0.0),
        "mask_association_of_twins_low": at_most(best.control["association"].low, 0.0),
        "mask_extractable": at_least(any(f.verdict == EXTRACTABLE for f in found.values()), 1.0),
    }
