"""Is every membership attack silent on a model that saw nobody who is asked about?

    python benchmarks/null_shadows.py           200 runs of each recipe, some minutes
    python benchmarks/null_shadows.py --quick   20 runs

Every attack that exists is played, found by discovery, with its default settings and eight shadow models. Beside each
false alarm rate stands how often the same attack sees a leak where there is one: silence alone is easy. Two further
games have no answer either: members drawn at random among those asked about, and shadow models whose lists of members
were shuffled.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from common import Bars, at_least, at_most, finish, parser, table

from keepmum.attacks import Context, default_attacks
from keepmum.attacks.membership import Learned, Lira, MembershipAttack, Pooled
from keepmum.data import Records, Split
from keepmum.errors import MissingExtraError, NotApplicableError
from keepmum.shadows import ShadowStore, scaled_logit
from keepmum.stats.multiple import holm
from keepmum.stats.roc import auc_value
from keepmum.targets._remembered import remembered
from keepmum.training import SklearnTrainer

LEVEL = 0.05
SIDE = 200
SHADOWS = 8
NEED_TRUTH = (Lira, Pooled, Learned)
"""Attacks that have nothing left when nobody knows whom the shadow models were trained on; the ratio and the offline
attacks compare the target with all models and go on working, as they should."""

LOPSIDED = (
    "The pooled ratio predicts the side with the record from the side without it, so that with shuffled lists it still "
    "orders records a little, by how usual their answers are."
)


def recipes() -> dict[str, SklearnTrainer]:
    """Cheap recipes: one that memorizes everybody, one that hardly does."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    return {
        "tree": SklearnTrainer(DecisionTreeClassifier()),
        "logistic regression": SklearnTrainer(LogisticRegression(C=100.0, max_iter=300)),
    }


def people(rng: np.random.Generator, columns: int = 8) -> Records:
    """Labels that depend on the columns with noise; as many columns as a logistic regression can overfit."""
    X = rng.normal(size=(SIDE, columns))
    return Records(X, np.digitize(X[:, 0] + rng.normal(size=SIDE), [-1.0, 1.0]))


def attacks() -> list[MembershipAttack[Any]]:
    return [attack for attack in default_attacks() if isinstance(attack, MembershipAttack)]


def play(recipe: str, seen: bool, seed: int) -> dict[str, tuple[float, float]]:
    """p-values of every attack that can be played, alone and as an audit reports it, by Holm.

    Args:
      recipe: One of `recipes`.
      seen: Whether the target was trained on the members, or on strangers.
      seed: Of everything.
    """
    warnings.simplefilter("ignore")
    rng = np.random.default_rng([seed, seen, *recipe.encode()])
    split, strangers, trainer = Split(people(rng), people(rng)), people(rng), recipes()[recipe]
    target = remembered(trainer.train(split.members if seen else strangers, seed))
    shadows = ShadowStore().collect(trainer, split.pool, SHADOWS, seed)
    ctx = Context(seed=seed, trainer=trainer, shadows=shadows)
    found = {}
    for attack in attacks():
        if attack.inapplicable(target) is not None:
            continue
        try:
            finding = attack.run(target, split, ctx.lend(attack.name))
        except (NotApplicableError, MissingExtraError):
            continue
        if finding.p_value is not None:
            found[attack.name] = finding.p_value
    adjusted = holm(np.array(list(found.values()))).tolist()
    return dict(zip(found, zip(found.values(), adjusted, strict=True), strict=True))


def bits(recipe: str, seed: int) -> dict[str, tuple[float, float]]:
    """Areas of the attacks on a target that memorized: for random members, and with shuffled shadow models."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng([seed, 2, *recipe.encode()])
    split, trainer = Split(people(rng), people(rng)), recipes()[recipe]
    target = trainer.train(split.members, seed)
    member = np.arange(2 * SIDE) < SIDE
    fleet = ShadowStore().collect(trainer, split.pool, SHADOWS, seed)
    heard = fleet.clip(scaled_logit(target, split.pool))
    shuffled = replace(fleet, trained_on=rng.permuted(fleet.trained_on, axis=1))
    drawn, areas = rng.permutation(member), {}
    for attack in NEED_TRUTH:
        scores = attack().infer(heard, fleet, np.random.default_rng(seed))
        misled = attack().infer(heard, shuffled, np.random.default_rng(seed))
        areas[attack.id] = (
            auc_value(scores[drawn], scores[~drawn]),
            auc_value(misled[member], misled[~member]),
        )
    return areas


def many(function: Callable[[int], Any], runs: int, jobs: int) -> Iterator[Any]:
    if jobs == 1:
        yield from map(function, range(runs))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(function, range(runs), chunksize=4)


Results = list[dict[str, tuple[float, float]]]


def alarms(results: Results, name: str) -> np.ndarray:
    """Shares of runs with a leak by one attack: alone, and in the audit; nan if it was never played."""
    seen = np.array([result[name] for result in results if name in result]).reshape(-1, 2)
    return (seen <= LEVEL).mean(axis=0) if len(seen) else np.full(2, np.nan)


def silence(recipe: str, runs: int, jobs: int) -> tuple[list[list[Any]], Bars]:
    """False alarms and power of every attack on one recipe."""
    false: Results = list(many(partial(play, recipe, False), runs, jobs))
    true: Results = list(many(partial(play, recipe, True), max(5, runs // 10), jobs))
    names = sorted({name for result in false for name in result})
    share = {name: alarms(false, name) for name in names}
    played = {name: sum(name in result for result in false) for name in names}
    rows = [
        [f"{name}, {recipe}", played[name], *(f"{1 - s:.3f}" for s in share[name]), f"{alarms(true, name)[0]:.2f}"]
        for name in names
    ]
    anyone = np.mean([min(adjusted for _, adjusted in result.values()) <= LEVEL for result in false])
    rows.append([f"any attack, {recipe}", runs, "", f"{1 - anyone:.3f}", ""])
    alone, audit = np.max(list(share.values()), axis=0)
    slack = 3 * math.sqrt(LEVEL * (1 - LEVEL) / runs)  # of many attacks some lie beyond two standard errors
    label = recipe.replace(" ", "_")
    return rows, {
        f"silent_{label}_worst_attack_in_the_audit": at_least(1 - audit, 1 - LEVEL),
        f"silent_{label}_any_attack_in_the_audit": at_least(1 - anyone, 1 - LEVEL),
        f"silent_{label}_worst_attack_alone": at_least(1 - alone, round(1 - LEVEL - slack, 4)),
    }


def halves(recipe: str, runs: int, jobs: int) -> tuple[list[list[Any]], Bars]:
    """Mean areas where there is nothing to find."""
    results = list(many(partial(bits, recipe), runs, jobs))
    rows, bars = [], {}
    for name in results[0]:
        for place, what in enumerate(("random members", "shuffled shadows")):
            areas = np.array([result[name][place] for result in results])
            error = float(areas.std(ddof=1)) / math.sqrt(runs)
            rows.append([f"{name}, {recipe}", what, f"{areas.mean():.4f} ± {error:.4f}"])
            bar = at_most(abs(areas.mean() - 0.5), round(max(3 * error, 1e-4), 4))
            bars[f"half_{what}_{recipe}_{name}".replace(" ", "_")] = bar
    return rows, bars


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--runs", type=int, help="of each game (200; 20 with --quick)")
    options.add_argument("--jobs", type=int, default=2, help="processes")
    chosen = options.parse_args()
    runs = chosen.runs or (20 if chosen.quick else 200)
    silent, even, bars = [], [], {}
    for recipe in recipes():
        for part, keep in ((silence, silent), (halves, even)):
            rows, reached = part(recipe, runs, chosen.jobs)
            keep += rows
            bars |= reached
    note = (
        f"{SIDE} + {SIDE} people, {SHADOWS} shadow models, {runs} runs of each recipe. A leak is p ≤ {LEVEL}: of the "
        "attack alone, or as the audit reports it, corrected for all attacks by Holm. Of so many, some stray by "
        "three standard errors, which their bar allows. Seen: share of runs with a leak, each attack alone, when the "
        "model was trained on the members."
    )
    head = ["attack, recipe", "runs", "no leak, alone", "no leak, in the audit", "seen"]
    tables = [
        table("Silence on a model that saw nobody", head, silent, note),
        table("Nothing to find: area under the curve", ["attack, recipe", "game", "mean AUC"], even, LOPSIDED),
    ]
    finish(bars, chosen.json, tables=tables)


if __name__ == "__main__":
    main()
