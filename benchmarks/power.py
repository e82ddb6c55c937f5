"""Power against the number of shadow models: an overfit network, and trees.

    python benchmarks/power.py                  on scikit-learn's digits, one in ten with a wrong label, and on Adult
    python benchmarks/power.py --data FILE.npz  the network on 4,000 pictures of a file
    python benchmarks/power.py --only network   one task of network, tree, forest, canaries

Each model is the target once, and attacked with the models of the following pairs, its own pair left out: targets
differ, and so do the shadow models. All attacks hear the same answers.
"""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from common import Bars, at_least, finish, parser, pictures, table, tpr

from keepmum.attacks.membership import (
    CalibratedLoss,
    Learned,
    Lira,
    LiraOffline,
    Pooled,
    ReferenceRatio,
    Rmia,
    RmiaOffline,
    ShadowAttack,
)
from keepmum.attacks.membership.lira import Variance
from keepmum.data import Records
from keepmum.shadows import Shadows, ShadowStore
from keepmum.stats.roc import auc_value
from keepmum.training import SklearnTrainer, Trainer

ATTACKS: tuple[ShadowAttack, ...] = (
    CalibratedLoss(),
    ReferenceRatio(),
    LiraOffline(),
    RmiaOffline(),
    Rmia(),
    Lira(variance=Variance.FIXED),
    Lira(variance=Variance.PER_RECORD),
    Pooled(),
    Learned(),
)
PLAIN = "loss, no shadow models"
OFFLINE = ("membership/lira-offline", "membership/rmia-offline")
FULL, QUICK = (2, 4, 8, 16, 32, 64), (4, 8, 16)
Powers = dict[tuple[str, int], np.ndarray]
"""By attack and number of shadow models: ``(targets, 2)`` AUC and TPR at 1 % FPR."""


@dataclass(frozen=True)
class Task:
    """Records, a recipe for models of them, and who was given a wrong label."""

    name: str
    what: str
    records: Records
    trainer: Trainer
    wrong: np.ndarray


def network(data: str | None, count: int, wrong: float) -> Task:
    """Pictures, a share of them with a wrong label, and a network that learns every one by heart."""
    X, y, what = pictures(data, count, seed=0)
    rng = np.random.default_rng(1)
    chosen = rng.random(len(y)) < wrong
    y = np.where(chosen, (y + rng.integers(1, 10, len(y))) % 10, y)
    what += f", {wrong:.0%} with a wrong label" if wrong else ""
    return Task("network", what, Records(X, y, np.arange(len(y))), mlp(X.shape[1]), chosen)


def mlp(width: int) -> Trainer:
    """One hidden layer of 128, SGD with momentum, until every training record is right."""
    try:
        import torch

        from keepmum.training import TorchTrainer
    except ImportError:
        from sklearn.neural_network import MLPClassifier

        recipe = {"solver": "sgd", "learning_rate_init": 0.05, "nesterovs_momentum": False, "alpha": 0.0}
        return SklearnTrainer(MLPClassifier((128,), batch_size=50, max_iter=100, n_iter_no_change=100, **recipe))

    def build() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(width, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))

    recipe = {"optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "schedule": "linear", "epochs": 90, "batch_size": 50}
    return TorchTrainer(build, classes=tuple(range(10)), **recipe)


def adult(name: str, count: int) -> Task:
    """Numbers of the Adult data; a tree with leaves of two people, or a forest of 50 trees."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    from keepmum.datasets import load_adult

    X, y = load_adult(count)
    X = X.select_dtypes("number").to_numpy(dtype=np.float64)
    made = DecisionTreeClassifier(min_samples_leaf=2) if name == "tree" else RandomForestClassifier(50)
    records = Records(X, np.asarray(y), np.arange(len(y)))
    return Task(name, f"Adult, {X.shape[1]} numbers", records, SklearnTrainer(made), np.zeros(len(y), dtype=bool))


def fleet(task: Task, models: int) -> tuple[Shadows, float, float]:
    """Shadow models, CPU seconds of each, and their accuracy on those that they were trained on."""
    began = time.process_time()
    shadows = ShadowStore().collect(task.trainer, task.records, models, seed=1)
    cost = (time.process_time() - began) / models
    right = [float((shadows.signals[k][shadows.trained_on[k]] > 0).mean()) for k in range(models)]
    return shadows, cost, float(np.mean(right))


def references(everyone: Shadows, target: int, size: int) -> Shadows:
    """The ``size`` models of the pairs that follow the target's own."""
    pairs = len(everyone) // 2
    chosen = [2 * ((target // 2 + 1 + i) % pairs) + side for i in range(size // 2) for side in (0, 1)]
    return replace(everyone, signals=[everyone.signals[k] for k in chosen], trained_on=everyone.trained_on[chosen])


def powers(everyone: Shadows, sizes: tuple[int, ...], targets: int, among: np.ndarray) -> Powers:
    """Every attack on every target with every number of shadow models."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for target in range(targets):
        member = everyone.trained_on[target]
        mine, theirs = member & among, ~member & among
        for size in sizes:
            some = references(everyone, target, size)
            heard = some.clip(everyone.signals[target])
            scores = {PLAIN: heard}
            for attack in ATTACKS:
                if size >= attack.fewest or attack.id in OFFLINE:  # one outside model each is enough for those
                    scores[attack.name] = attack.infer(heard, some, np.random.default_rng(target))
            for name, values in scores.items():
                pair = auc_value(values[mine], values[theirs]), tpr(values[mine], values[theirs], 0.01)
                found.setdefault((name, size), []).append(pair)
    return {key: np.array(values) for key, values in found.items()}


def lead(power: Powers, one: tuple[str, int], other: tuple[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """By how much one attack is ahead of another: mean and standard error over targets, of AUC and TPR."""
    gain = power[one] - power[other]
    return gain.mean(axis=0), gain.std(axis=0, ddof=1) / math.sqrt(len(gain))


def behind(power: Powers) -> str:
    """Where the learned attack is not the strongest with the same number of shadow models."""
    places = []
    for size in sorted(size for name, size in power if name == Learned.id):
        for place, metric in enumerate(("AUC", "TPR")):
            others = {n: v[:, place].mean() for (n, s), v in power.items() if s == size and n != Learned.id}
            best = max(others, key=lambda name: others[name])
            gap = others[best] - power[Learned.id, size][:, place].mean()
            if gap > 0:
                places.append(f"{metric} with {size} ({best.split('/')[-1]} is {gap:.4f} ahead)")
    return "The learned attack is " + (
        f"not the strongest in {'; '.join(places)}." if places else "the strongest throughout."
    )


def shown(task: Task, power: Powers, cost: float, right: float) -> dict[str, Any]:
    sizes = sorted({size for _, size in power})
    names = [PLAIN, *(attack.name for attack in ATTACKS)]
    rows = []
    for name in names:
        cells = [power.get((name, size)) for size in sizes]
        rows.append([name, *("–" if c is None else "{:.3f} / {:.3f}".format(*c.mean(axis=0)) for c in cells)])
    targets = len(power[PLAIN, sizes[0]])
    error = np.max([v.std(axis=0, ddof=1) / math.sqrt(targets) for v in power.values()], axis=0)
    note = (
        f"Mean over {targets} targets, standard errors at most {error[0]:.3f} and {error[1]:.3f}; half of the records "
        f"are members. {cost:.2f} CPU seconds a model, {right:.1%} of its own records right; trained "
        f"{task.trainer.fleet_note}. {behind(power)}"
    )
    title = f"{task.name}, {len(task.records):,} records ({task.what}): AUC / TPR at 1 % FPR"
    return table(title, ["attack", *map(str, sizes)], rows, note)


def compare(task: Task, power: Powers) -> tuple[Bars, list[list[str]]]:
    """The bars of a task, and the same with their standard errors."""
    most = max(size for _, size in power)
    learned, pooled = Learned.id, Pooled.id
    lira = max((a.name for a in ATTACKS if isinstance(a, Lira)), key=lambda name: power[name, most][:, 0].mean())
    wanted = [
        (f"learned_8_less_lira_{most}", (learned, 8), (lira, most), 0.0),
        (f"pooled_16_less_lira_{most}", (pooled, 16), (lira, most), -0.005),
    ]
    for size in (2, 4, 8):
        if (RmiaOffline.id, size) in power:
            name = f"rmia_less_lira_offline_{size // 2}_references"
            wanted.append((name, (RmiaOffline.id, size), (LiraOffline.id, size), 0.0))
    bars, rows = {}, []
    for name, one, other, goal in wanted:
        mean, error = lead(power, one, other)
        for place, which in enumerate(("auc", "tpr_at_1_percent")):
            bars[f"{task.name}_{name}_{which}"] = bar = at_least(mean[place], goal)
            told = "yes" if bar["ok"] else "no"
            words = f"{one[0]} with {one[1]} over {other[0]} with {other[1]}"
            rows.append([f"{task.name}: {words}", which, f"{mean[place]:+.4f} ± {error[place]:.4f}", goal, told])
    return bars, rows


def canaries(data: str | None, quick: bool) -> tuple[Bars, dict[str, Any]]:
    """Records with a wrong label, among themselves: those that were trained on against those that were not."""
    task = network(data, 4000, 0.1 if data is None else 0.05)
    targets = 6 if quick else 16
    everyone, _, _ = fleet(task, max(10, targets))
    power = powers(everyone, (8,), targets, task.wrong)
    rows = [[name, f"{v[:, 0].mean():.4f}", f"{v[:, 1].mean():.3f}"] for (name, _), v in power.items()]
    title = f"Canaries: the {task.wrong.sum()} wrong labels ({task.what}), 8 shadow models"
    bars = {"canaries_learned_8_auc": at_least(power[Learned.id, 8][:, 0].mean(), 0.99)}
    return bars, table(title, ["attack", "AUC", "TPR at 1 % FPR"], rows, f"Mean over {targets} targets.")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--data", help="a .npz with pictures of 28 x 28 and labels")
    options.add_argument("--only", nargs="*", default=["network", "tree", "forest", "canaries"])
    options.add_argument("--targets", type=int, help="24; 6 with --quick")
    chosen = options.parse_args()
    warnings.simplefilter("ignore")
    sizes, targets = (QUICK, 6) if chosen.quick else (FULL, 24)
    targets, count = chosen.targets or targets, 2000 if chosen.quick else 4000
    models = max(max(sizes) + 2, targets + targets % 2)
    models += -models % 8
    bars: Bars = {}
    tables, rows, curves = [], [], {}
    for name in (task for task in chosen.only if task != "canaries"):
        wrong = 0.1 if chosen.data is None else 0.0
        task = network(chosen.data, 4000, wrong) if name == "network" else adult(name, count)
        everyone, cost, right = fleet(task, models)
        power = powers(everyone, sizes, targets, np.ones(len(task.records), dtype=bool))
        tables.append(shown(task, power, cost, right))
        reached, lines = compare(task, power)
        bars |= reached
        rows += lines
        curves[name] = {f"{key[0]} {key[1]}": value.mean(axis=0).round(4).tolist() for key, value in power.items()}
    if rows:
        tables.append(table("Who is ahead, by how much", ["comparison", "metric", "lead", "goal", "reached"], rows))
    if "canaries" in chosen.only:
        reached, seen = canaries(chosen.data, chosen.quick)
        bars |= reached
        tables.append(seen)
    finish(bars, chosen.json, tables=tables, curves=curves)


if __name__ == "__main__":
    main()
