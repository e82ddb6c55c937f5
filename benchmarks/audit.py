"""The main job, measured: a forest and a logistic regression on Adult, a large file of recorded answers, the demo.

Run ``python benchmarks/audit.py`` for a table; with ``--json`` the last line is machine-readable; ``--quick`` takes
smaller samples; ``--write`` puts the table into docs/benchmarks/audit.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HOME = Path(__file__).resolve().parent.parent


def pipeline(model):
    """One-hot text, scaled numbers, then the model."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
            (StandardScaler(), make_column_selector(dtype_include="number")),
        ),
        model,
    )


def adult(quick: bool) -> list[dict]:
    """Default forest and logistic regression, trained on a random half."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    import keepmum
    from keepmum.datasets import load_adult

    X, y = load_adult(10_000 if quick else None)
    half = len(X) // 2
    members, others = (X[:half], y[:half]), (X[half:], y[half:])
    forest = keepmum.audit(pipeline(RandomForestClassifier(random_state=0)).fit(*members), members, others)
    line = keepmum.audit(pipeline(LogisticRegression(max_iter=1000)).fit(*members), members, others)
    loss = forest["membership/loss"]
    print(f"\nAdult, {half:,} + {half:,} people (after duplicates: {forest.sample['members']:,} members)")
    print("loss attack on the default forest, by class:")
    for part in loss.slices:
        print(f"  {part.value:>6}  {part.members:6,} + {part.nonmembers:6,}  AUC {part.metrics['auc']}")
    print(f"forest: {forest.outcome}, {forest.verdict}")
    print(f"logistic regression: {line.outcome}, {line.verdict}")
    logistic = line["membership/loss"].metrics["auc"]
    return [
        bar("adult_forest_outcome_is_leak", float(forest.outcome == "leak"), ">=", 1.0),
        bar("adult_forest_loss_auc", loss.metrics["auc"].value, ">=", 0.615),
        bar("adult_logistic_no_leak_found", float(line.outcome == "no_leak_found"), ">=", 1.0),
        bar("adult_logistic_loss_auc_low", logistic.low, "<=", 0.5),
    ]


def recorded(quick: bool) -> list[dict]:
    """100,000 recorded answers over 10 classes, through the command line, in a process of its own."""
    rows = 20_000 if quick else 100_000
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        names = []
        for side, sharp in (("members", 1.2), ("nonmembers", 1.0)):
            labels = rng.integers(0, 10, rows // 2)
            logits = rng.normal(size=(rows // 2, 10))
            logits[np.arange(rows // 2), labels] += 2.0 * sharp
            odds = np.exp(logits)
            table = np.column_stack([labels, odds / odds.sum(axis=1, keepdims=True)])
            header = ",".join(["label", *(f"p_{k}" for k in range(10))])
            names.append(Path(folder) / f"{side}.csv")
            np.savetxt(names[-1], table, delimiter=",", header=header, comments="", fmt=["%d"] + ["%.6f"] * 10)
        arguments = ["audit", "--scores", *map(str, names), "--out", f"{folder}/run", "--json"]
        seconds, mebibytes, report = measure(arguments)
    outcome = json.loads(report)["outcome"]
    print(f"\n{rows:,} recorded answers x 10 classes: {seconds:.1f} s, {mebibytes:.0f} MiB, outcome {outcome}")
    return [
        bar("recorded_seconds", seconds, "<=", 20.0),
        bar("recorded_mebibytes", mebibytes, "<=", 2048.0),
        bar("recorded_outcome_is_leak", float(outcome == "leak"), ">=", 1.0),
    ]


def demo(quick: bool) -> list[dict]:
    """``keepmum demo`` as a person runs it."""
    with tempfile.TemporaryDirectory() as folder:
        seconds, mebibytes, line = measure(["demo", "--out", f"{folder}/demo", "--json"])
    pair = json.loads(line)
    print(
        f"\ndemo: {seconds:.1f} s, {mebibytes:.0f} MiB; "
        f"leaky {pair['leaky']['outcome']}, tight {pair['tight']['outcome']}"
    )
    return [
        bar("demo_seconds", seconds, "<=", 60.0),
        bar("demo_leaky_is_leak", float(pair["leaky"]["outcome"] == "leak"), ">=", 1.0),
        bar("demo_tight_no_leak_found", float(pair["tight"]["outcome"] == "no_leak_found"), ">=", 1.0),
    ]


def measure(arguments: list[str]) -> tuple[float, float, str]:
    """Wall seconds, peak MiB and last line of stdout of one command."""
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "keepmum", *arguments], stdout=subprocess.PIPE, text=True)
    out, _ = process.communicate()
    seconds = time.monotonic() - began
    if process.returncode:
        raise SystemExit(f"keepmum {' '.join(arguments)} ended with {process.returncode}")
    import resource

    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, out.strip().splitlines()[-1]


def bar(name: str, value: float, relation: str, goal: float) -> dict:
    """One figure with its goal; whether it is reached is computed."""
    return {"name": name, "value": value, "goal": goal, "ok": value >= goal if relation == ">=" else value <= goal}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    bars = [*recorded(options.quick), *demo(options.quick), *adult(options.quick)]
    lines = ["| figure | value | goal | reached |", "|---|---|---|---|"]
    lines += [f"| {b['name']} | {b['value']:.4g} | {b['goal']:g} | {'yes' if b['ok'] else 'no'} |" for b in bars]
    print("\n" + "\n".join(lines))
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    if options.write:
        page = HOME / "docs" / "benchmarks" / "audit.md"
        page.parent.mkdir(exist_ok=True)
        text = "# The main job, measured\n\nMade by `python benchmarks/audit.py --write`.\n\n"
        page.write_text(text + "\n".join(lines) + f"\n\nMachine: {machine}.\n", encoding="utf-8")
    if options.json:
        found = {b.pop("name"): b for b in bars}
        print(json.dumps({"bars": found, "machine": machine}))


if __name__ == "__main__":
    main()
