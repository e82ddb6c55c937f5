"""The demo on a language model as a person runs it: wall and CPU time of the whole, and what it shows."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import Bars, at_least, at_most, others, table

from keepmum.cli import _recital

SECONDS = 180.0
"""CPU seconds on each of two cores, what it takes in wall seconds where these are idle."""
SMALL = (("layers", 2), ("width", 64), ("heads", 2))
QUICK = replace(_recital.SCALE, documents=60, per_cell=2, kinds=("pin", "key"), epochs=3, early=1, recipe=SMALL)
CODE = """\
import sys
if __name__ == "__main__":
    from keepmum.cli import _recital, main
    if {quick}:
        _recital.SCALE = _recital.{scale}
    sys.exit(main(["demo", "text", "--out", {out!r}, "--json", "--quiet"]))
"""


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    busy = others()
    with TemporaryDirectory() as folder:
        told, wall, cpu = run(Path(folder), quick)
        trained = [_recital.Trained(p.parent, **facts(p)) for p in Path(folder).glob("run/models/*/keepmum.json")]
    names = [name for name in told if name != "loss"]
    rows = [[name, *row(told[name]), f"{told['loss'][name]:.2f}"] for name in names]
    shown = table(
        "keepmum demo text",
        [
            "model",
            "canaries that came out, greedy",
            f"in {_recital.SCALE.samples} samples",
            "twins",
            "AUC of documents",
            "loss on unread prose",
        ],
        rows,
        f"{wall:.0f} s wall, {cpu:.0f} CPU s in all, of which {sum(t.seconds for t in trained):.0f} s went into "
        f"training {len(trained)} models, two at a time. {busy}",
    )
    return bars(told, wall, cpu), [shown]


def facts(path: Path) -> dict[str, Any]:
    """What stands beside a model."""
    return json.loads(path.read_text(encoding="utf-8"))


def run(folder: Path, quick: bool) -> tuple[dict[str, Any], float, float]:
    """What the demo prints as JSON, wall seconds, and CPU seconds of it and everything below it."""
    script = folder / "demo.py"
    script.write_text(CODE.format(quick=quick, scale=QUICK, out=str(folder / "run")), encoding="utf-8")
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True, env=env)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.splitlines()[-1]), wall, cpu


def row(report: dict[str, Any]) -> list[str]:
    """What came out of one model."""
    found = {each["id"]: each for each in report["findings"]}
    greedy, sampled = (found[f"extraction/{name}"] for name in ("greedy", "sampled"))
    shares = [greedy["metrics"]["extracted"], sampled["metrics"]["extracted"], sampled["control"]["extracted"]]
    return [*(f"{share['value']:.0%}" for share in shares), f"{found['membership/ez']['metrics']['auc']['value']:.2f}"]


def bars(told: dict[str, Any], wall: float, cpu: float) -> Bars:
    """Time, and that the remedies show."""

    def out(name: str) -> float:
        found = {each["id"]: each for each in told[name]["findings"]}
        return float(found["extraction/sampled"]["metrics"]["extracted"]["value"])

    return {
        "demo_cpu_s_on_each_of_two_cores": at_most(cpu / 2, SECONDS),
        "demo_wall_s": at_most(wall, SECONDS),
        "demo_share_out_leaky_above_deduplicated": at_least(out("leaky") - out("deduplicated"), 1e-9),
        "demo_share_out_leaky_above_early": at_least(out("leaky") - out("early"), 1e-9),
    }
