"""The engines against each other on the same shadow models: wall and CPU seconds, and whether the signals are the same.

    python benchmarks/engines.py           32 forests on 5,000 Adult records
    python benchmarks/engines.py --quick   8 small forests

Each engine runs in a process of its own. Wall seconds hold the engine's start and end; CPU seconds are those of the
process and of everything that it started.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
from common import Bars, at_least, family, finish, others, parser, table

ENGINES = {
    "one after another": ("local", 1, ""),
    "local, 2 workers": ("local", 2, ""),
    "dask, 2 workers": ("dask", 2, "distributed"),
    "ray, 2 workers": ("ray", 2, "ray"),
}


def work(name: str, jobs: int, models: int, trees: int, rows: int) -> dict[str, Any]:
    """Train and ask in this process, with one engine."""
    from sklearn.ensemble import RandomForestClassifier

    from keepmum.data import Records
    from keepmum.datasets import load_adult
    from keepmum.shadows import ShadowStore
    from keepmum.training import SklearnTrainer
    from keepmum.training.engines import engine

    X, y = load_adult(rows)
    records = Records(X.select_dtypes("number").to_numpy(dtype=np.float64), np.asarray(y), np.arange(len(y)))
    trainer = SklearnTrainer(RandomForestClassifier(trees))
    ShadowStore().collect(SklearnTrainer(RandomForestClassifier(1)), records.take(np.arange(100)), 2, seed=0)  # imports
    began, (before, _) = time.perf_counter(), family()
    with engine(name, jobs=jobs):
        shadows = ShadowStore().collect(trainer, records, models, seed=0)
        cpu, memory = family()
    seconds = time.perf_counter() - began
    seen = hashlib.sha256(np.stack(shadows.signals).tobytes()).hexdigest()
    return {"wall": seconds, "cpu": cpu - before, "mib": memory, "signals": seen}


def run(name: str, jobs: int, sizes: list[int]) -> dict[str, Any]:
    """`work` in a process of its own."""
    command = [sys.executable, __file__, "--work", name, str(jobs), *map(str, sizes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the engine {name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--work", nargs="*", help="engine, workers, models, trees, rows: what one process does")
    chosen = options.parse_args()
    if chosen.work:
        print(json.dumps(work(chosen.work[0], *map(int, chosen.work[1:]))))
        return
    sizes = [8, 10, 1000] if chosen.quick else [32, 100, 10_000]
    busy = others()
    results = {
        title: run(name, jobs, sizes)
        for title, (name, jobs, package) in ENGINES.items()
        if not package or importlib.util.find_spec(package)
    }
    first = next(iter(results.values()))
    rows = [
        [title, f"{r['wall']:.1f}", f"{r['cpu']:.1f}", f"{first['wall'] / r['wall']:.2f}", f"{r['mib']:.0f}"]
        for title, r in results.items()
    ]
    same = all(r["signals"] == first["signals"] for r in results.values())
    title = f"Engines: {sizes[0]} forests of {sizes[1]} trees on {sizes[2]:,} records"
    head = ["engine", "wall, s", "CPU, s", "times as fast", "MiB, all processes"]
    note = "Start and end of the engine are in the wall seconds. " + ("The same" if same else "NOT the same")
    shown = table(title, head, rows, note + " signals, bit for bit, from each of them. " + busy)
    bars: Bars = {"engines_bit_for_bit_the_same": at_least(float(same), 1.0)}
    bars["engines_compared"] = at_least(len(results), len(ENGINES))
    finish(bars, chosen.json, tables=[shown])


if __name__ == "__main__":
    main()
