"""A whole audit, end to end: a network in a pipeline on 20,000 people of Adult.

    python benchmarks/endtoend.py           LiRA, RMIA and the learned attack with 64 shadow models; and effort quick
    python benchmarks/endtoend.py --quick   2,000 people, 8 shadow models

Both are `keepmum.audit` calls as a user writes them, each in a process of its own; wall seconds hold everything from
the call to the report.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from common import Bars, at_least, at_most, family, finish, others, parser, table

ATTACKS = ("membership/lira", "membership/rmia", "membership/learned")


def model() -> Any:
    """One-hot text, scaled numbers, and a network with one hidden layer, trained for 60 epochs."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_exclude="number")),
            (StandardScaler(), make_column_selector(dtype_include="number")),
        ),
        MLPClassifier((64,), batch_size=128, max_iter=60, n_iter_no_change=60, random_state=0),
    )


def audit(effort: str, shadows: int, rows: int, jobs: int) -> dict[str, Any]:
    """Train the target, audit it, and tell how long the audit took."""
    import warnings

    import keepmum
    from keepmum.datasets import load_adult
    from keepmum.training.engines import engine

    warnings.simplefilter("ignore")
    X, y = load_adult(rows)
    half = rows // 2
    target = model().fit(X[:half], y[:half])
    began, (before, _) = time.perf_counter(), family()
    options: dict[str, Any] = {"attacks": ATTACKS, "shadows": shadows} if shadows else {"effort": effort}
    with engine("local", jobs=jobs):
        report = keepmum.audit(target, (X[:half], y[:half]), (X[half:], y[half:]), **options)
        after, _ = family()
    seconds = time.perf_counter() - began
    areas = {f.id: f.metrics["auc"].value for f in report.findings if "auc" in f.metrics}
    outcomes = [str(f.outcome) for f in report.findings]
    return {
        "wall": seconds,
        "cpu": after - before,
        "outcome": str(report.outcome),
        "areas": areas,
        "played": sum(o in ("leak", "no_leak_found", "inconclusive") for o in outcomes),
        "errors": outcomes.count("error"),
        "fidelity": report.instrument["shadow_fidelity"].explanation if shadows else "",
    }


def run(effort: str, shadows: int, rows: int) -> dict[str, Any]:
    """`audit` in a process of its own."""
    command = [sys.executable, __file__, "--audit", effort, str(shadows), str(rows), str(min(2, os.cpu_count() or 1))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the audit failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--audit", nargs=4, help="effort, shadow models, people, workers: what one process does")
    chosen = options.parse_args()
    if chosen.audit:
        effort, *numbers = chosen.audit
        print(json.dumps(audit(effort, *map(int, numbers))))
        return
    rows, shadows = (2_000, 8) if chosen.quick else (20_000, 64)
    busy = others()
    deep, fast = run("standard", shadows, rows), run("quick", 0, rows)
    lines = [
        [f"LiRA, RMIA, learned; {shadows} shadow models", f"{deep['wall']:.1f}", f"{deep['cpu']:.1f}", deep["outcome"]],
        ["all attacks, effort quick", f"{fast['wall']:.1f}", f"{fast['cpu']:.1f}", fast["outcome"]],
    ]
    found = "; ".join(f"{name.split('/')[1]} {area:.3f}" for name, area in deep["areas"].items())
    note = f"Two workers. AUC: {found}. {deep['fidelity']} Effort quick plays {fast['played']} attacks. {busy}"
    title = f"An audit of a network on {rows:,} people, end to end"
    shown = table(title, ["audit", "wall, s", "CPU, s", "outcome"], lines, note)
    bars: Bars = {
        "audit_64_shadows_seconds": at_most(deep["wall"], 300.0),
        "audit_quick_seconds": at_most(fast["wall"], 60.0),
        "audit_attacks_played": at_least(deep["played"], len(ATTACKS)),
        "audit_errors": at_most(deep["errors"] + fast["errors"], 0),
    }
    finish(bars, chosen.json, tables=[shown])


if __name__ == "__main__":
    main()
