"""Canaries in prose: exposure by how often they were read, and what comes out by asking once and often."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from _text_models import FULL, QUICK, World, with_canaries
from common import Bars, at_least, at_most, table

from keepmum.attacks import Context
from keepmum.attacks.extraction import Exposure, ExtractionAttack, Greedy, NPDiscoverable, Sampled
from keepmum.findings import Finding, Slice
from keepmum.stats.exposure import NULL_BITS
from keepmum.texts import Secrets

PINS = 30
"""Exact exposure of so many is timed."""
SECONDS = 30.0
"""CPU seconds that this may take."""
FEWEST = 24
"""Pairs that a pooled figure needs."""
OFF = 0.35
"""Bits by which the mean exposure of twins may be off 1 / ln 2: three standard errors of 144 of them."""


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    world = with_canaries(QUICK if quick else FULL)
    samples = 8 if quick else 32
    attacks = (Exposure(others=63 if quick else 255), Greedy(), NPDiscoverable(), Sampled(samples=samples))
    found, seconds = played(world, attacks)
    found["np 1000"] = played(world, (NPDiscoverable(n=1000),))[0]["np"]
    pins, took = timed(world, quick)
    shown = table(
        "Canaries by how often they were read",
        ["read", "exposure, bits", "AUC against twins", "greedy", "(100, 0.5)", "(1000, 0.5)", f"in {samples} samples"],
        rows(found),
        f"{world.note} Exposure is exact for PINs (at most 13.3 bits) and among {attacks[0].others} others for the "
        f"rest. {found['exposure'].explanation}",
    )
    costs = [[name, found[name].queries, f"{took:.1f}"] for name, took in seconds.items()]
    costs.append([f"exact exposure of {pins} PINs", "", f"{took:.1f}"])
    cost = table("What it costs", ["attack", "queries", "CPU s"], costs)
    kinds = table("Canaries read 64 times, by kind", ["kind", "exposure, bits", "greedy", "samples"], by_kind(world))
    missed = missed_by_greedy(world, attacks[1:])
    shown["note"] += (
        " Of those read 16 times, greedy misses "
        + ", ".join(f"{v:.0%} that {k} finds" for k, v in missed.items())
        + "."
    )
    return bars(found, world, took, missed), [shown, kinds, cost]


def played(world: World, attacks: tuple[ExtractionAttack[Any], ...]) -> tuple[dict[str, Finding], dict[str, float]]:
    """A finding of each attack by its technique, and CPU seconds."""
    found, seconds = {}, {}
    for attack in attacks:
        name, began = attack.id.split("/")[1], time.process_time()
        ctx = Context(secrets=world.secrets)
        found[name] = attack.run(world.target, world.secrets.split, ctx.lend(attack.name))
        seconds[name] = time.process_time() - began
        print(f"  {attack.id}: {found[name].verdict}, {seconds[name]:.1f} CPU s", flush=True)
    return found, seconds


def only(secrets: Secrets, kind: str, repeats: tuple[int, ...] | None = None, most: int | None = None) -> Secrets:
    """The pairs of a kind and of some numbers of repeats."""
    pairs = [
        (a, b)
        for a, b in zip(secrets.planted, secrets.twins, strict=True)
        if a.kind == kind and (repeats is None or a.repeats in repeats)
    ][:most]
    mine, theirs = (tuple(side) for side in zip(*pairs, strict=True))
    return Secrets(mine, theirs, secrets.spaces, secrets.alphabets, paired=True)


def timed(world: World, quick: bool) -> tuple[int, float]:
    """CPU seconds of exact exposure of PINs, planted and twins."""
    chosen = only(world.secrets, "pin", most=4 if quick else PINS // 2)
    began = time.process_time()
    Exposure().run(world.target, chosen.split, Context(secrets=chosen).lend("pins"))
    return len(chosen.planted) + len(chosen.twins), time.process_time() - began


def by_kind(world: World) -> list[list[str]]:
    """Exposure and extraction of what was read most, kind by kind."""
    most = max(secret.repeats for secret in world.secrets.planted)
    made = []
    for kind in dict.fromkeys(secret.kind for secret in world.secrets.planted):
        chosen, ctx = only(world.secrets, kind, (most,)), Context(secrets=world.secrets)
        attacks = (Exposure(others=63), Greedy(), Sampled(samples=8))
        seen = [a.run(world.target, chosen.split, ctx.lend(a.name)).metrics for a in attacks]
        made.append([kind, str(seen[0]["exposure"]), str(seen[1]["extracted"]), str(seen[2]["extracted"])])
    return made


def steps(finding: Finding) -> dict[int, Slice]:
    """Slices by repeats, ascending."""
    found = {int(part.value): part for part in finding.slices if part.column == "repeats"}
    return dict(sorted(found.items()))


def rows(found: dict[str, Finding]) -> list[list[str]]:
    """A row for each number of repeats, and one for the twins."""
    order = ("greedy", "np", "np 1000", "sampled")
    made = []
    for times, part in steps(found["exposure"]).items():
        out = [str(steps(found[name])[times].metrics["extracted"]) for name in order]
        made.append([f"{times} ×", str(part.metrics["exposure"]), str(part.metrics["auc"]), *out])
    twins = [str(found[name].control["extracted"]) for name in order]
    return [*made, ["never", str(found["exposure"].control["exposure"]), "", *twins]]


def missed_by_greedy(world: World, attacks: tuple[ExtractionAttack[Any], ...]) -> dict[str, float]:
    """Share of the canaries read 16 times that do not come out greedily but by another attack."""
    secrets = [secret for secret in world.secrets.planted if secret.repeats == 16]
    greedy, *others = (
        attack.extract(world.target, secrets, Context(secrets=world.secrets)).extracted for attack in attacks
    )
    names = ("(100, 0.5)", "sampling")
    return {name: float((out & ~greedy).mean()) for name, out in zip(names, others, strict=True)}


def bars(found: dict[str, Finding], world: World, took: float, missed: dict[str, float]) -> Bars:
    """One bar for each figure that has a goal."""
    levels = steps(found["exposure"])
    bits = [part.metrics["exposure"].value for part in levels.values()]
    once, control = levels[1], found["exposure"].control
    extracted = [found[name].control["extracted"].value for name in ("greedy", "np", "sampled")]
    pins = only(world.secrets, "pin", (max(levels),))
    best = Exposure().run(world.target, pins.split, Context(secrets=pins).lend("pins"))
    return {
        "canaries_least_rise_of_exposure_by_repeats": at_least(float(np.diff(bits).min()), 0.0),
        "canaries_pins_read_64_times_of_rank_1": at_least(best.metrics["extracted"].value, 1.0),
        "canaries_twins_uniform_p": at_least(control["uniformity_p"].value, 0.01),
        "canaries_twins_exposure_off_1.44": at_most(abs(control["exposure"].value - NULL_BITS), OFF),
        "canaries_twins_extracted": at_most(max(extracted), 0.0),
        "canaries_single_insertion_auc": at_least(once.metrics["auc"].value, 0.6),
        "canaries_single_insertion_pairs": at_least(once.members, FEWEST),
        "canaries_16_times_missed_by_greedy_found_by_np": at_least(missed["(100, 0.5)"], 1e-9),
        "canaries_16_times_missed_by_greedy_found_by_sampling": at_least(missed["sampling"], 1e-9),
        "canaries_exact_exposure_of_30_pins_cpu_s": at_most(took, SECONDS),
    }
