"""What shadow models cost once they are trained: scoring, keeping a result, and kills.

python benchmarks/store.py           50,000 records x 256 models; 20 kills
python benchmarks/store.py --quick   10,000 x 64; 4 kills
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from common import Bars, at_least, at_most, finish, others, parser, table

from keepmum.attacks.membership import Lira, Rmia
from keepmum.data import Records
from keepmum.shadows import Shadows, ShadowStore, balanced_pairs
from keepmum.targets import FunctionScores
from keepmum.training import FunctionTrainer


def scoring_bars(quick: bool) -> Bars:
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


def kill_bars(quick: bool) -> Bars:
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
        "kills": at_least(kills, wanted),
        "report_same_after_kills": at_least(float(same), 1.0),
        "trained_again_per_kill": at_most(again / max(1, kills), 2.0),
    }


def files(home: Path) -> int:
    return len(list((home / "killed" / "restricted" / "shadows").glob("*.npy")))


def store_bars() -> Bars:
    """What a folder adds to a result of 5,000 records: models that cost nothing, kept there and kept in memory."""
    records = Records(np.zeros((5_000, 1)), np.arange(5_000) % 2, np.arange(5_000))
    known = FunctionScores(lambda X: np.full((len(X), 2), 0.5), (0, 1))
    trainer, models = FunctionTrainer(lambda part, seed: known, "nothing"), 200

    def seconds(folder: Path | None) -> float:
        began = time.perf_counter()
        ShadowStore(folder).collect(trainer, records, models, seed=0)
        return time.perf_counter() - began

    gaps = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as folder:
            gaps.append((seconds(Path(folder)) - seconds(None)) / (models / 2) * 1000)
    each = float(np.median(gaps))
    print(f"\nkeeping one result: {each:.2f} ms")
    return {"store_ms": at_most(each, 5.0)}


def main() -> None:
    options = parser(__doc__)
    chosen = options.parse_args()
    busy = others()
    bars = {**scoring_bars(chosen.quick), **store_bars(), **kill_bars(chosen.quick)}
    rows = [[name.replace("_", " "), bar["value"], bar["goal"]] for name, bar in bars.items()]
    note = "LiRA and RMIA in one pass over a memory-mapped matrix; memory beyond the matrix. A kill is `kill -9` of "
    note += (
        "the process group at a random moment; after the last one the same call goes on, and its `report.json` is held "
    )
    note += "against that of an audit that nobody killed. " + busy
    finish(bars, chosen.json, tables=[table("Scoring, keeping, kills", ["figure", "value", "goal"], rows, note)])


if __name__ == "__main__":
    main()
