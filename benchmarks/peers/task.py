"""The task that each tool is given, in the tool's own environment: needs numpy and scikit-learn, nothing of keepmum."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Task:
    """Records, who of them the target was trained on, and the target.

    Attributes:
      X: ``(n, d)`` float32.
      y: ``(n,)`` labels 0 … 9.
      member: ``(n,)`` truth, to measure with; half of the records.
      recipe: Parameters of scikit-learn's MLPClassifier.
      model: The target, the same weights for every tool.
      shadows: Number of shadow models to train.
      out: Where scores are written.
    """

    X: np.ndarray
    y: np.ndarray
    member: np.ndarray
    recipe: dict[str, Any]
    model: Any
    shadows: int
    out: Path


def load(folder: str) -> Task:
    from sklearn.neural_network import MLPClassifier

    home = Path(folder)
    recipe = json.loads((home / "recipe.json").read_text())
    with np.load(home / "task.npz") as file:
        arrays = dict(file)
    X, y = arrays["X"], arrays["y"]
    model = MLPClassifier(**recipe["model"]).partial_fit(X[:50], y[:50], classes=np.arange(10))
    model.coefs_ = [arrays[f"w{i}"] for i in range(len(model.coefs_))]
    model.intercepts_ = [arrays[f"b{i}"] for i in range(len(model.intercepts_))]
    return Task(X, y, arrays["member"], recipe["model"], model, recipe["shadows"], home / f"{sys.argv[2]}.npy")


class Clock:
    """CPU seconds by part of the work, and memory."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.before = memory("VmRSS")

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = sum(os.times()[:4])
        yield
        self.parts[name] = self.parts.get(name, 0.0) + sum(os.times()[:4]) - began

    def finish(self, task: Task, scores: dict[str, np.ndarray], **more: Any) -> None:
        """Write scores (higher = more likely a member) and print what was measured."""
        names = list(scores)
        np.save(task.out, np.stack([np.asarray(scores[name], dtype=np.float64) for name in names]))
        peak = memory("VmHWM")
        result = {"parts": self.parts, "attacks": names, "peak_mib": peak, "rise_mib": peak - self.before, **more}
        print(json.dumps(result))


def memory(which: str) -> float:
    """MiB that this process holds (VmRSS) or held at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which):
            return int(line.split()[1]) / 1024
    return float("nan")
