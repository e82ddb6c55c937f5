"""Shadow models, measured: power against their number, cost of scoring, and what a kill costs.

Run ``python benchmarks/shadows.py`` for tables; with ``--json`` the last line is machine-readable; ``--quick`` takes
fewer models and smaller samples. A bar that is not reached stays in, with ``ok: false``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np

from keepmum.attacks.membership import (
    CalibratedLoss,
    Learned,
    Lira,
    LiraOffline,
    Pooled,
    ReferenceRatio,
    Rmia,
)
from keepmum.data import Records
from keepmum.shadows import Shadows, ShadowStore, balanced_pairs
from keepmum.stats.roc import auc_value, tpr_at_fpr
from keepmum.training import SklearnTrainer

ATTACKS = (CalibratedLoss, ReferenceRatio, LiraOffline, Lira, Rmia, Pooled, Learned)
Powers = dict[tuple[str, int], tuple[float, float]]


def digits() -> tuple[Records, SklearnTrainer]:
    """Handwritten digits, one in ten with a wrong label, and a network that learns all of them by heart."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < 0.1
    y = np.where(wrong, (y + rng.integers(1, 10, len(y))) % 10, y)
    network = MLPClassifier((128,), alpha=0.0, learning_rate_init=3e-3, max_iter=60, batch_size=50, n_iter_no_change=60)
    return Records(X / 16, y, np.arange(len(y))), SklearnTrainer(network)


def adult(rows: int) -> tuple[Records, SklearnTrainer]:
    """Numbers of the Adult data, and a tree with leaves of two people."""
    from sklearn.tree import DecisionTreeClassifier

    from keepmum.datasets import load_adult

    X, y = load_adult(rows)
    X = X.select_dtypes("number").to_numpy(dtype=np.float64)
    return Records(X, np.asarray(y), np.arange(len(y))), SklearnTrainer(DecisionTreeClassifier(min_samples_leaf=2))


def powers(everyone: Shadows, sizes: list[int], targets: range) -> Powers:
    """Mean AUC and TPR at 1 % FPR over targets, by attack and number of shadow models."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for size in sizes:
        some = Shadows(everyone.ids, everyone.signals[:size], everyone.trained_on[:size])
        for target in targets:
            heard, member = some.clip(everyone.signals[target]), everyone.trained_on[target]
            scores = {"scaled-logit": heard}
            for attack in ATTACKS:
                scores[attack.id.split("/")[1]] = attack().infer(heard, some, np.random.default_rng(target))
            for name, values in scores.items():
                mine, theirs = values[member], values[~member]
                found.setdefault((name, size), []).append(
                    (auc_value(mine, theirs), tpr_at_fpr(mine, theirs, 0.01).value)
                )
    return {key: tuple(np.mean(values, axis=0)) for key, values in found.items()}  # type: ignore[misc]


def table(title: str, power: Powers) -> None:
    sizes = sorted({size for _, size in power})
    print(f"\n{title}: AUC / TPR at 1 % FPR by number of shadow models")
    print(f"{'':18}" + "".join(f"{size:>16}" for size in sizes))
    for name in sorted({name for name, _ in power}):
        print(f"{name:18}" + "".join("{:>10.3f}/{:.3f}".format(*power[name, size]) for size in sizes))


def power_bars(quick: bool) -> dict[str, dict]:
    bars = {}
    count, most = (6, 16) if quick else (16, 64)
    sizes = [4, 8, 16] if quick else [4, 8, 16, 64]
    for name, (records, trainer) in {"mlp": digits(), "tree": adult(2000 if quick else 4000)}.items():
        began = time.process_time()
        everyone = ShadowStore().collect(trainer, records, most + count, seed=1)
        cost = (time.process_time() - began) / len(everyone)
        power = powers(everyone, sizes, range(most, most + count))
        table(f"{name} ({len(records):,} records, {cost:.2f} CPU s a model, {count} targets)", power)
        for which, place in (("auc", 0), ("tpr_at_1_percent", 1)):
            gain = power["learned", 8][place] - power["lira", most][place]
            bars[f"{name}_learned_8_less_lira_{most}_{which}"] = at_least(gain, 0.0)
        bars[f"{name}_pooled_16_less_lira_{most}_auc"] = at_least(
            power["pooled", 16][0] - power["lira", most][0], -0.005
        )
        bars[f"{name}_rmia_4_less_lira_offline_4_auc"] = at_least(
            power["rmia", 4][0] - power["lira-offline", 4][0], 0.0
        )
        if name == "mlp":
            bars["canaries_learned_8_auc"] = at_least(canaries(everyone, records, range(most, most + count)), 0.99)
    return bars


def canaries(everyone: Shadows, records: Records, targets: range) -> float:
    """AUC of the learned attack with 8 shadow models, among the wrongly labelled."""
    from sklearn.datasets import load_digits

    wrong = load_digits().target != records.y
    some = Shadows(everyone.ids, everyone.signals[:8], everyone.trained_on[:8])
    areas = []
    for target in targets:
        scores = Learned().infer(some.clip(everyone.signals[target]), some, np.random.default_rng(target))
        member = everyone.trained_on[target]
        areas.append(auc_value(scores[wrong & member], scores[wrong & ~member]))
    return float(np.mean(areas))


def scoring_bars(quick: bool) -> dict[str, dict]:
    """LiRA and RMIA for 50,000 records and 256 models, from a memory-mapped matrix."""
    records, models = (10_000, 64) if quick else (50_000, 256)
    rng = np.random.default_rng(0)
    trained_on = np.concatenate([mask for mask, _ in balanced_pairs(records, models // 2, 0)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "signals.npy"
        np.save(path, (rng.normal(size=(models, records)) + trained_on).astype(np.float32))
        heard = rng.normal(size=records)

        def score() -> None:
            shadows = Shadows(np.arange(records), list(np.load(path, mmap_mode="r")), trained_on)
            for attack in (Lira(), Rmia()):
                attack.infer(shadows.clip(heard), shadows, rng)

        times = []
        for _ in range(3):
            began = time.perf_counter()
            score()
            times.append(time.perf_counter() - began)
        tracemalloc.start()
        score()
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    print(f"\nLiRA and RMIA, {records:,} x {models}: {np.median(times):.2f} s, {peak:.0f} MiB beyond the matrix")
    return {"scoring_seconds": at_most(float(np.median(times)), 0.5), "scoring_mib": at_most(peak, 150.0)}


AUDIT = """
import os, sys, time, warnings
import numpy as np, keepmum
from keepmum.training import FunctionTrainer
from sklearn.tree import DecisionTreeClassifier

def train(records, seed):
    time.sleep(float(sys.argv[3]))
    with open(sys.argv[2], "a") as file:
        file.write("x")
    return DecisionTreeClassifier(random_state=seed).fit(records.X, records.y)

rng = np.random.default_rng(0)
X, y = rng.normal(size=(400, 5)), rng.integers(0, 2, 400)
model = DecisionTreeClassifier(random_state=0).fit(X[:200], y[:200])
keepmum.audit(model, (X[:200], y[:200]), (X[200:], y[200:]), trainer=FunctionTrainer(train, "tree"), shadows=96,
              out=sys.argv[1], attacks=["membership/lira", "membership/rmia", "membership/learned"])
"""


def kill_bars(quick: bool) -> dict[str, dict]:
    """Kill an audit at random points, again and again, and hold the report of the last run against a whole one."""
    kills, wanted = 0, 4 if quick else 20
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "audit.py").write_text(AUDIT)

        def run(out: str, pause: float) -> subprocess.Popen[bytes]:
            words = [home / "audit.py", home / out, home / f"{out}.count", str(pause)]
            return subprocess.Popen([sys.executable, *map(str, words)], start_new_session=True)

        run("whole", 0.0).wait()
        while kills < wanted:
            process, before = run("killed", 0.05), files(home)
            while process.poll() is None and files(home) == before:
                time.sleep(0.005)
            time.sleep(float(rng.uniform(0, 0.1)))
            if process.poll() is not None:
                break
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        run("killed", 0.0).wait()
        same = (home / "whole" / "report.json").read_bytes() == (home / "killed" / "report.json").read_bytes()
        again = (home / "killed.count").stat().st_size - 96
    print(
        f"\n{kills} kills, 96 shadow models: the report is {'the same' if same else 'ANOTHER'}, {again} trained again"
    )
    return {
        "report_same_after_kills": at_least(float(same), 1.0),
        "trained_again_per_kill": at_most(again / max(1, kills), 2.0),
    }


def files(home: Path) -> int:
    return len(list((home / "killed" / "restricted" / "shadows").glob("*.npy")))


def store_bars() -> dict[str, dict]:
    """Time to keep one result of 5,000 records."""
    signals = np.zeros((2, 5_000), dtype=np.float32)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for number in range(100):
            ShadowStore(Path(folder))._keep(f"{number:064}", signals)
        each = (time.perf_counter() - began) / 100 * 1000
    print(f"\nkeeping one result: {each:.2f} ms")
    return {"store_ms": at_most(each, 5.0)}


def at_least(value: float, goal: float) -> dict:
    return {"value": round(float(value), 4), "goal": goal, "ok": bool(value >= goal)}


def at_most(value: float, goal: float) -> dict:
    return {"value": round(float(value), 4), "goal": goal, "ok": bool(value <= goal)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    bars = {**scoring_bars(chosen.quick), **store_bars(), **kill_bars(chosen.quick), **power_bars(chosen.quick)}
    for name, bar in bars.items():
        print(f"{'ok  ' if bar['ok'] else 'FAIL'} {name}: {bar['value']} (goal {bar['goal']})")
    if chosen.json:
        machine = {"python": platform.python_version(), "cores": os.cpu_count(), "cpu": platform.processor()}
        print(json.dumps({"bars": bars, "machine": machine}))


if __name__ == "__main__":
    main()
