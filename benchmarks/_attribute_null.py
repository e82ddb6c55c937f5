"""Is every attack on hidden attributes silent about people whom the model never saw, and about those of a plain model?

The label depends on the hidden attribute and on what is known in a way that few people do not teach, and the forest
learned it from many strangers: it tells more about anyone than can be imputed, and must still not be said to give away
the members. Nor must a logistic regression that was trained on the members themselves. How often a forest that
memorizes them is caught stands beside it: silence alone is easy.
"""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _attribute_people import Side, game, pipeline, play
from common import Bars, at_least, table

from keepmum.attacks.attribute import hide
from keepmum.findings import POPULATION_LEVEL, RECORD_LEVEL
from keepmum.stats.multiple import holm

LEVEL = 0.05
SIDE = 300
STRANGERS = 3_000
VALUES = ("a", "b", "c")
CASES = ("forest, strangers", "logistic regression, members")
CAUGHT = "forest, members"


def people(rng: np.random.Generator, count: int = SIDE) -> Side:
    """The value goes with one known column; the label is how far it is from another one, around a circle of three."""
    known = rng.normal(size=(count, 5))
    value = np.digitize(known[:, 0] + 1.5 * rng.normal(size=count), [-1.0, 1.0])
    label = (value + np.digitize(known[:, 1], [-1.0, -0.3, 0.3, 1.0])) % 3
    label = np.where(rng.random(count) < 0.15, rng.integers(0, 3, count), label)
    frame = pd.DataFrame(known, columns=[f"known_{place}" for place in range(5)])
    return frame.assign(hidden=np.array(VALUES)[value]), label


def trained(case: str, members: Side, strangers: Side, seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    forest = RandomForestClassifier(25, random_state=seed)
    model = forest if case.startswith("forest") else LogisticRegression()
    return pipeline(model).fit(*(strangers if case.endswith("strangers") else members))


Seen = dict[str, tuple[float, str]]


def once(case: str, seed: int) -> Seen:
    """By attack: its p-value after all of the audit, and the verdict that it would have alone."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng([seed, *case.encode()])
    members, others, strangers = people(rng), people(rng), people(rng, STRANGERS)
    split = game(members, others)
    found = play(trained(case, members, strangers, seed), split, hide("hidden", split), seed, every=False)
    tested = {name: finding for name, finding in found.items() if finding.p_value is not None}
    adjusted = holm(np.array([finding.p_value for finding in tested.values()])).tolist()
    alone = [finding.verdict for finding in tested.values()]
    return dict(zip(tested, zip(adjusted, alone, strict=True), strict=True))


def measure(quick: bool, jobs: int = 2) -> tuple[Bars, list[dict[str, Any]]]:
    runs, seen = (4, 2) if quick else (200, 20)
    results: dict[str, list[Seen]] = {}
    with ProcessPoolExecutor(jobs) as pool:
        for case in (*CASES, CAUGHT):
            results[case] = list(pool.map(partial(once, case), range(seen if case == CAUGHT else runs), chunksize=2))
    return judged(results, runs)


def judged(results: dict[str, list[Seen]], runs: int) -> tuple[Bars, list[dict[str, Any]]]:
    rows: list[list[Any]] = []
    bars: Bars = {}
    slack = 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)  # of many attacks some lie beyond two standard errors
    for case, found in results.items():
        shares = {name: _shares([result[name] for result in found if name in result]) for name in _names(found)}
        someone = float(np.mean([min(p for p, _ in result.values()) <= LEVEL for result in found]))
        rows += [[f"{name}, {case}", len(found), *(f"{share:.3f}" for share in told)] for name, told in shares.items()]
        rows.append([f"any attack, {case}", len(found), "", f"{someone:.3f}", ""])
        label = case.replace(", ", "_").replace(" ", "_")
        if case == CAUGHT:
            bars[f"null_{label}_caught"] = at_least(someone, 0.95)
            continue
        worst = max(alone for alone, _, _ in shares.values())
        bars[f"null_{label}_silent_in_the_audit"] = at_least(1 - someone, 1 - LEVEL)
        bars[f"null_{label}_silent_worst_attack_alone"] = at_least(1 - worst, round(1 - LEVEL - slack, 4))
    note = (
        f"{SIDE} + {SIDE} people, three values, {runs} runs: share with a record-level finding, of an attack alone and "
        "as the audit reports it, corrected for all attacks by Holm; and with a population-level one. Of many attacks "
        "some stray by three standard errors, which their bar allows. The last model is to be caught."
    )
    head = [
        "attack, model and whom it was trained on",
        "runs",
        "record-level, alone",
        "in the audit",
        "population-level",
    ]
    return bars, [table("Silence about hidden attributes", head, rows, note)]


def _names(found: list[Seen]) -> list[str]:
    return sorted({name for result in found for name in result})


def _shares(seen: list[tuple[float, str]]) -> tuple[float, float, float]:
    """Record-level alone, record-level in the audit, population-level."""
    alone, audit = [verdict == RECORD_LEVEL for _, verdict in seen], [p <= LEVEL for p, _ in seen]
    return float(np.mean(alone)), float(np.mean(audit)), float(np.mean([v == POPULATION_LEVEL for _, v in seen]))
