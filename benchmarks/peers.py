"""keepmum beside other tools: same records, same target, same members, same number of shadow models, one run.

    python benchmarks/peers.py                  make the environments if need be (2 GB), and run
    python benchmarks/peers.py --data FILE.npz  on 4,000 pictures of a file instead of scikit-learn's digits
    python benchmarks/peers.py --installed      only with environments that exist

Each tool runs in a process of its own, in an environment of its own, on one thread, through its own entry points. CPU
seconds are those of training, signals and scoring; imports and the training of the target are nobody's.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np
from common import FOLDER, Bars, at_least, finish, parser, pictures, table, tpr

from keepmum.stats.roc import auc_value

HERE = Path(__file__).resolve().parent / "peers"
TOOLS = {"art": "adversarial-robustness-toolbox 1.20.1", "sacroml": "sacroml 2.0.1"}
GOALS = {"art": 8.0, "sacroml": 3.0}
OURS = {"keepmum": "keepmum, MLPClassifier", "keepmum-torch": "keepmum, TorchTrainer"}
RECIPE = {
    "hidden_layer_sizes": [128],
    "solver": "sgd",
    "learning_rate_init": 0.05,
    "momentum": 0.9,
    "nesterovs_momentum": False,
    "alpha": 0.0,
    "batch_size": 50,
    "max_iter": 40,
    "n_iter_no_change": 40,
}
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
NOTE = (
    "CPU seconds of training, signals and scoring, one thread, median of the rounds. MiB: highest resident memory of "
    "the process, and its rise during the work. Peers train scikit-learn's MLPClassifier; so does `keepmum, "
    "MLPClassifier`; `keepmum, TorchTrainer` trains the same network from the same distribution of first weights with "
    "the same optimizer, epochs and batches, and attacks the same target. sacroml gets float64: it fails on float32. "
    "One target: AUC is uncertain by about 0.01, and TPR@0.1 % rests on {few} of the non-members, too few for a report."
)


def ours() -> list[str]:
    """keepmum's ways to train the network that are at hand here."""
    torch = importlib.util.find_spec("torch") and importlib.util.find_spec("keepmum.training.torch")
    return [tool for tool in OURS if torch or "torch" not in tool]


def environment(tool: str, make: bool) -> Path | None:
    """Interpreter of a tool's own environment, made from its pinned list if wanted."""
    folder = FOLDER / "envs" / tool
    python, stamp = folder / "bin" / "python", folder / "installed"
    pins = (HERE / f"{tool}.txt").read_text()
    if stamp.exists() and stamp.read_text() == pins:
        return python
    if not make:
        return None
    print(f"installing {TOOLS[tool]} into {folder} …", file=sys.stderr)
    venv.create(folder, with_pip=True)
    log = folder / "pip.log"
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", HERE / f"{tool}.txt"]
    outside = {k: v for k, v in os.environ.items() if k not in ("PIP_CONSTRAINT", "PYTHONPATH")}
    with log.open("w") as file:
        code = subprocess.run(list(map(str, command)), stdout=file, stderr=file, env=outside, check=False).returncode
    if code:
        raise SystemExit(f"could not install {TOOLS[tool]}: see {log}")
    stamp.write_text(pins)
    return python


def write_task(folder: Path, X: np.ndarray, y: np.ndarray, shadows: int) -> np.ndarray:
    """Train the target on half of the records, and write everything that a tool needs."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    member = np.zeros(len(y), dtype=bool)
    member[np.random.default_rng(7).permutation(len(y))[: len(y) // 2]] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(**RECIPE, random_state=7).fit(X[member], y[member])
    weights = {f"w{i}": w for i, w in enumerate(model.coefs_)} | {f"b{i}": b for i, b in enumerate(model.intercepts_)}
    np.savez(folder / "task.npz", X=X, y=y, member=member, **weights)
    (folder / "recipe.json").write_text(json.dumps({"model": RECIPE, "shadows": shadows}))
    right = [model.score(X[side], y[side]) for side in (member, ~member)]
    print(f"target: accuracy {right[0]:.3f} on members, {right[1]:.3f} on the others")
    return member


def run(tool: str, python: Path | str, folder: Path) -> dict[str, Any]:
    """One tool on the task, in a process of its own."""
    script = HERE / ("run_keepmum.py" if tool in OURS else f"run_{tool}.py")
    environ = {**os.environ, **dict.fromkeys(THREADS, "1"), "PYTHONWARNINGS": "ignore"}
    if tool not in OURS:
        environ.pop("PYTHONPATH", None)
    before = os.times()
    words = [str(python), str(script), str(folder), tool]
    done = subprocess.run(words, env=environ, cwd=folder, capture_output=True, text=True, check=False)
    after = os.times()
    if done.returncode:
        raise SystemExit(f"{tool} failed:\n{done.stderr[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    result["cpu"] = sum(result["parts"].values())
    result["process"] = after.children_user + after.children_system - before.children_user - before.children_system
    result["scores"] = np.load(folder / f"{tool}.npy")
    return result


def play(tools: dict[str, Path | str], folder: Path, rounds: int) -> dict[str, dict[str, Any]]:
    """Each tool in turn, so many rounds; the round with the median of CPU seconds stands for the tool."""
    seen: dict[str, list[dict[str, Any]]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool, python in tools.items():
            seen[tool].append(run(tool, python, folder))
            print(f"  {tool}: {seen[tool][-1]['cpu']:.2f} CPU s", file=sys.stderr, flush=True)
    return {tool: sorted(results, key=lambda r: r["cpu"])[len(results) // 2] for tool, results in seen.items()}


def rows(results: dict[str, dict[str, Any]], member: np.ndarray) -> list[list[Any]]:
    lines = []
    for tool, result in results.items():
        for place, attack in enumerate(result["attacks"]):
            mine, theirs = result["scores"][place][member], result["scores"][place][~member]
            power = [f"{auc_value(mine, theirs):.3f}"]
            power += [f"{tpr(mine, theirs, rate):.3f}" for rate in (0.01, 0.001)]
            cost = [f"{result['parts'][part]:.2f}" for part in ("training", "scoring")]
            cost += [f"{result['cpu']:.2f}", f"{result['process']:.1f}"]
            cost += [f"{result['peak_mib']:.0f} (+{result['rise_mib']:.0f})"]
            name = (TOOLS | OURS)[tool]
            lines.append([name if not place else "", attack, *(cost if not place else [""] * 5), *power])
    return lines


HEAD = ["tool", "attack", "training", "scoring", "CPU s", "whole process", "MiB", "AUC", "TPR@1 %", "TPR@0.1 %"]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--data", help="a .npz with pictures of 28 x 28 and labels")
    options.add_argument("--installed", action="store_true", help="make no environment")
    options.add_argument("--shadows", type=int, default=16)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    X, y, what = pictures(chosen.data, 1000 if chosen.quick else 4000, seed=3, side=14)
    X, y = (X[:800], y[:800]) if chosen.quick else (X, y)
    tools: dict[str, Path | str] = dict.fromkeys(ours(), sys.executable)
    for tool in TOOLS:
        python = environment(tool, not chosen.installed)
        if python is not None:
            tools[tool] = python
    with tempfile.TemporaryDirectory() as folder:
        member = write_task(Path(folder), X, y, chosen.shadows)
        results = play(tools, Path(folder), 1 if chosen.quick else chosen.rounds)
    title = f"{len(y):,} records ({what}, {X.shape[1]} columns), {chosen.shadows} shadow models"
    shown = table(title, HEAD, rows(results, member), NOTE.format(few=int(0.001 * (~member).sum())))
    bars: Bars = {}
    for mine in ours():
        print(f"{OURS[mine]}: {results[mine].get('note', '')}")
        for tool, goal in GOALS.items():
            if tool in results:
                bars[f"cpu_{tool}_over_{mine}"] = at_least(results[tool]["cpu"] / results[mine]["cpu"], goal)
    series = {(TOOLS | OURS)[tool]: result["parts"] for tool, result in results.items()}
    finish(bars, chosen.json, tables=[shown], cpu=series, notes={OURS[t]: results[t]["note"] for t in ours()})


if __name__ == "__main__":
    main()
