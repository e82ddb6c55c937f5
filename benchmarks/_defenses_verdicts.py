"""Verdicts about a defense that does nothing: how often one is called anything but that, and how wide intervals are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from _defenses_tasks import Mlp
from common import Bars, at_most, table
from numpy.typing import NDArray

from keepmum.data import Records, Split
from keepmum.defenses import TrainingDefense
from keepmum.harden import Verdict, harden
from keepmum.harden._verdict import judged_by
from keepmum.targets import ScoreTarget
from keepmum.training import Around, SklearnTrainer, TorchTrainer, Trainer

LEVEL = 0.05
ELSEWHERE = 1_000_003


class Reseeded(Around):
    """A recipe whose models start from other seeds, and are the same in law."""

    def __init__(self, inner: Trainer) -> None:
        self.inner = inner

    @property
    def key(self) -> str:
        return f"{self.inner.key} from other seeds"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        return self.inner.train(records, seed + ELSEWHERE)

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        yield from self.inner.train_fleet(records, trained_on, [seed + ELSEWHERE for seed in seeds])


@dataclass(frozen=True)
class Nothing(TrainingDefense):
    """Changes nothing but luck."""

    id: ClassVar[str] = "training/nothing"

    def protect(self, trainer: Trainer) -> Trainer:
        return Reseeded(trainer)


def allowed(runs: int) -> float:
    """Most of few runs that may be wrong: the level and two standard errors."""
    return float(LEVEL + 2 * np.sqrt(LEVEL * (1 - LEVEL) / runs))


def people(seed: int, count: int = 400, columns: int = 60, classes: int = 10, flip: float = 0.3) -> Split:
    """Baskets of ten kinds of customers; others for each seed, the kinds alike."""
    kinds = np.random.default_rng(99).random((classes, columns)) < 0.5
    rng = np.random.default_rng([seed, 5])
    y = rng.integers(0, classes, count)
    X = (kinds[y] ^ (rng.random((count, columns)) < flip)).astype(np.float32)
    return Split(Records(X[::2], y[::2]), Records(X[1::2], y[1::2]))


def recipes() -> dict[str, tuple[Trainer, int]]:
    """Recipes that remember, with the number of models a row."""
    from sklearn.ensemble import RandomForestClassifier

    net = TorchTrainer(Mlp((60, 64, 10)), lr=3e-3, epochs=20, batch_size=32)
    forest = SklearnTrainer(RandomForestClassifier(20))
    return {"net": (net, 16), "net_8_models": (net, 8), "forest": (forest, 16)}


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    """Runs over people drawn anew."""
    runs = 12 if quick else 100
    bars: Bars = {}
    rows = []
    for name, (trainer, models) in recipes().items():
        called: list[Verdict] = []
        outside = total = 0
        for seed in range(runs):
            found = harden(trainer, people(seed), defenses=[Nothing()], models=models, seed=seed)
            row = found.row("training/nothing")
            called.append(row.verdict)
            gaps = [row.differences[metric] for metric in judged_by(found.rows[0].metrics)]
            outside += sum(gap.low > 0 or gap.high < 0 for gap in gaps)
            total += len(gaps)
        wrong = sum(verdict is not Verdict.NOTHING for verdict in called)
        print(f"  {name}: {wrong} of {runs} wrong, {outside} of {total} intervals without 0", flush=True)
        bars[f"verdicts_{name}_wrong"] = at_most(wrong / runs, allowed(runs) if quick else LEVEL)
        bars[f"verdicts_{name}_intervals_without_0"] = at_most(outside / total, LEVEL)
        counts = [sum(verdict is one for verdict in called) for one in SHOWN]
        rows.append([name, models, runs, *counts, f"{outside} of {total}"])
    head = ["recipe", "models", "runs", *(str(verdict) for verdict in SHOWN), "intervals of differences without 0"]
    note = (
        "A defense that changes nothing but the seeds of the models, against none; 400 records, drawn anew in each "
        "run. Intervals are wider than they must be: drawing both models and records counts some luck twice."
    )
    return bars, [table("A defense that does nothing", head, rows, note)]


SHOWN = (
    Verdict.NOTHING,
    Verdict.WORKS,
    Verdict.PARTLY,
    Verdict.MASKING,
    Verdict.BACKFIRED,
    Verdict.UNDECIDED,
)
