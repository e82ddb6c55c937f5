"""What the benchmarks share: bars, clocks, records, and the line that each of them ends with."""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from keepmum.stats.roc import threshold_at_fpr

Bars = dict[str, dict[str, Any]]
HOME = Path(__file__).resolve().parent.parent
FOLDER = HOME / ".benchmarks"
"""Environments of other tools and results of the last runs; git ignores it."""


def at_least(value: float, goal: float) -> dict[str, Any]:
    """A bar that is reached from above; whether it is reached is computed."""
    return {"value": round(float(value), 4), "goal": goal, "ok": bool(value >= goal)}


def at_most(value: float, goal: float) -> dict[str, Any]:
    """A bar that is reached from below."""
    return {"value": round(float(value), 4), "goal": goal, "ok": bool(value <= goal)}


def about(value: float, goal: float, off: float) -> dict[str, Any]:
    """A bar that is reached where the value is that of the goal but for so much."""
    return {"value": round(float(value), 4), "goal": goal, "off": off, "ok": bool(abs(value - goal) <= off)}


def machine() -> dict[str, Any]:
    """What the figures were measured on, without a date, so that an unchanged page stays unchanged."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":", 1)[1].strip() if models else name
    return {"cpu": name, "cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}


def tpr(mine: np.ndarray, theirs: np.ndarray, rate: float) -> float:
    """True positive rate where so large a share of the non-members is accused, however few they are."""
    return float((mine > threshold_at_fpr(theirs, rate)).mean())


def others() -> str:
    """How busy the machine is with other work, for figures in wall seconds; to be asked before one's own begins."""
    return f"Processes that wanted a core when this began: {os.getloadavg()[0]:.0f}, of {os.cpu_count()} cores."


def family() -> tuple[float, float]:
    """CPU seconds and resident MiB of this process and everything below it, also of those that ended."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    held: dict[int, float] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            words = (place / "stat").read_text().rpartition(")")[2].split()
            pages = int((place / "statm").read_text().split()[1])
        except (OSError, IndexError):
            continue
        number = int(place.name)
        parents[number] = int(words[1])
        used[number] = sum(map(int, words[11:15])) / os.sysconf("SC_CLK_TCK")
        held[number] = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    inside = {os.getpid()}
    while more := {n for n, parent in parents.items() if parent in inside} - inside:
        inside |= more
    return sum(used[n] for n in inside), sum(held[n] for n in inside)


def parser(text: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    made = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--json", action="store_true", help="the last line of stdout is JSON")
    made.add_argument("--quick", action="store_true", help="smaller samples, fewer models")
    return made


def table(title: str, head: list[str], rows: list[list[Any]], note: str = "") -> dict[str, Any]:
    """A table for the page, printed as it is made."""
    cells = [head, *[[_cell(value) for value in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    print(f"\n{title}")
    for first, *others in cells:
        words = (word.rjust(width) for word, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *words]))
    if note:
        print(note)
    return {"title": title, "head": head, "rows": cells[1:], "note": note}


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def finish(bars: Bars, as_json: bool, **more: Any) -> None:
    """Print every bar, and the last line."""
    for name, bar in bars.items():
        print(f"{'ok  ' if bar['ok'] else 'FAIL'} {name}: {bar['value']} (goal {bar['goal']})")
    if as_json:
        print(json.dumps({"bars": bars, "machine": machine(), **more}, ensure_ascii=False))


def pictures(path: str | None, count: int, seed: int, side: int = 28) -> tuple[np.ndarray, np.ndarray, str]:
    """Small pictures of ten kinds as float32 rows between 0 and 1, their labels, and what they are.

    Args:
      path: A ``.npz`` with arrays ``x`` or ``X`` or ``images`` (``(n, 28, 28)`` or ``(n, 784)``, bytes) and ``y`` or
        ``labels``; scikit-learn's handwritten digits (1,797 of 8 x 8) if None.
      count: How many, drawn at random.
      seed: Of the draw.
      side: Pixels a side; 14 takes means of four.
    """
    rng = np.random.default_rng(seed)
    if path is None:
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return (X / 16).astype(np.float32), np.asarray(y, dtype=np.int64), "handwritten digits of scikit-learn"
    with np.load(path, allow_pickle=False) as file:
        X = next(file[name] for name in ("x", "X", "images") if name in file)
        y = next(file[name] for name in ("y", "labels") if name in file).astype(np.int64)
    some = np.sort(rng.permutation(len(X))[:count])
    images = X[some].reshape(len(some), 28, 28).astype(np.float32) / 255
    if side == 14:
        images = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4))
    return images.reshape(len(some), -1), y[some], Path(path).stem.replace("_", " ")
