"""Noise on scores: what it takes from the exposure of PINs, and what asking again gives back."""

from __future__ import annotations

import time
from typing import Any

from _text_canaries import only
from _text_models import FULL, QUICK, with_canaries
from common import Bars, at_least, at_most, table

from keepmum.attacks import Context
from keepmum.attacks.extraction import Averaging
from keepmum.findings import Finding, Line
from keepmum.targets.noisy_text import NoisyScores
from keepmum.texts import Secrets

SD = 10.0
"""Nats, on the score of a whole text."""
TIMES = (1, 10, 100, 1000)
REPEATS = 16
HALF, BACK = 0.5, 0.9


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    world = with_canaries(QUICK if quick else FULL)
    pins = only(world.secrets, "pin", (4, REPEATS) if quick else (4, REPEATS, 64))
    most = 1_000 if quick else 10_000
    began = time.process_time()
    plain = played(world.target, pins, most)
    noisy = played(NoisyScores(world.target, SD), pins, most)
    rounded = played(NoisyScores(world.target, 0.0, 0), pins, most)
    took = time.process_time() - began
    shown = table(
        "PINs behind noise on scores",
        ["scores", "queries a candidate", *(f"read {n} ×" for n in levels(plain)), "twins"],
        [*rows("as they are", plain), *rows(f"noise of {SD:g} nats", noisy), *rows("rounded to whole nats", rounded)],
        f"Mean exposure in bits, of at most 13.3, among all 10,000 PINs; noise is drawn anew for each question. "
        f"{world.note} ({took:.0f} CPU s)",
    )
    return bars(plain, noisy), [shown]


def played(target: Any, pins: Secrets, most: int) -> Finding:
    """What averaging finds of some PINs, planted and twins."""
    attack = Averaging(TIMES, most=most)
    return attack.run(target, pins.split, Context(secrets=pins).lend(attack.name))


def levels(finding: Finding) -> list[int]:
    """Numbers of repeats, ascending."""
    return sorted({int(part.value) for part in finding.slices if part.column == "repeats"})


def rows(name: str, finding: Finding) -> list[list[Any]]:
    """A row for each number of questions."""
    trend = finding.trends[0]
    lines = [*(of(finding, n) for n in levels(finding)), of(finding, None)]
    return [
        [name if i == 0 else "", f"{int(x):,}", *(f"{line.y[i]:.1f}" for line in lines)] for i, x in enumerate(trend.x)
    ]


def of(finding: Finding, repeats: int | None) -> Line:
    """The curve of the secrets that stood there so often, or of the twins."""
    wanted = "twins" if repeats is None else f"repeats {repeats}"
    return next(line for line in finding.trends[0].lines if line.name == wanted)


def bars(plain: Finding, noisy: Finding) -> Bars:
    """What one question gives, and a thousand, as shares of what the bare scores give."""
    bare, seen = of(plain, REPEATS).y[-1], of(noisy, REPEATS).y
    return {
        "averaging_16_times_pin_exposure_of_the_bare_with_1_query": at_most(seen[0] / bare, HALF),
        "averaging_16_times_pin_exposure_of_the_bare_with_1000_queries": at_least(seen[-1] / bare, BACK),
    }
