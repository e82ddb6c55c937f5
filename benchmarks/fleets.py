"""Fleets of torch models against the loop that most people write: a DataLoader, autograd, one model after another.

python benchmarks/fleets.py           16 models, medians of 3
python benchmarks/fleets.py --quick   8 models, once, fewer records

Both train the same models: same first weights, same records in the same order, same epochs and batch size, one thread.
CPU seconds; the two take turns, so that what else runs on the machine meets both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from common import Bars, at_least, at_most, finish, parser, table
from torch import nn
from torch.utils.data import DataLoader, Sampler, Subset, TensorDataset

from keepmum.data import Records
from keepmum.training import TorchTrainer
from keepmum.training._torch_data import Seeds, built


def mlp(inside: int, hidden: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inside, hidden), nn.ReLU(), nn.Linear(hidden, classes))


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 7 * 7, 10)),
    )


@dataclass(frozen=True)
class Case:
    """One kind of model, the records that each is trained on, and the multiply-adds of one record in one step."""

    name: str
    trainer: TorchTrainer
    records: int
    shape: tuple[int, ...]
    classes: int
    work: int
    goal: float | None

    def pool(self) -> Records:
        """Twice as many records as a model is trained on, around a center for each class."""
        rng = np.random.default_rng(0)
        y = np.arange(2 * self.records) % self.classes
        centers = rng.normal(size=(self.classes, int(np.prod(self.shape)))) * 0.2
        if len(self.shape) == 3:  # squares of 4 x 4 pixels, which a convolutional net learns at once
            squares = rng.normal(size=(self.classes, self.shape[1] // 4, self.shape[2] // 4))
            centers = np.kron(squares, np.ones((4, 4))).reshape(self.classes, -1)
        X = centers[y] + rng.normal(size=(len(y), centers.shape[1]))
        return Records(X.reshape(len(y), *self.shape).astype(np.float32), y)


def cases(quick: bool) -> list[Case]:
    """Those of the goals, and the dense ones with another optimizer."""
    small, wide, images = (2_000, 4_000, 500) if quick else (10_000, 20_000, 4_000)
    adam: dict[str, Any] = {"optimizer": "adam", "lr": 1e-3, "device": "cpu"}
    sgd: dict[str, Any] = {"optimizer": "sgd", "lr": 0.02, "momentum": 0.9, "device": "cpu"}

    def dense(name: str, widths: tuple[int, int, int], records: int, goal: float | None, **how: Any) -> Case:
        inside, hidden, classes = widths
        trainer = TorchTrainer(lambda: mlp(*widths), **how)
        work = 2 * inside * hidden + 3 * hidden * classes
        return Case(name, trainer, records, (inside,), classes, work, goal)

    convolutions = 28 * 28 * 16 * 9 * 2 + 14 * 14 * 32 * 16 * 9 * 3 + 1568 * 10 * 3
    picture = TorchTrainer(cnn, epochs=1, batch_size=64, **sgd)
    return [
        dense("mlp", (100, 64, 100), small, 10.0, epochs=4, batch_size=64, **adam),
        dense("mlp_sgd", (100, 64, 100), small, None, epochs=4, batch_size=64, **sgd),
        dense("wide_mlp", (600, 128, 100), wide, 4.0, epochs=1, batch_size=128, **adam),
        dense("wide_mlp_sgd", (600, 128, 100), wide, None, epochs=1, batch_size=128, **sgd),
        Case("cnn", picture, images, (1, 28, 28), 10, convolutions, 1.5),
    ]


class Order(Sampler[int]):
    """The order that keepmum draws, in place of ``shuffle=True``, so that both train the same model."""

    def __init__(self, records: int, seed: int) -> None:
        self._records, self._rng = records, np.random.default_rng(seed)

    def __len__(self) -> int:
        return self._records

    def __iter__(self) -> Iterator[int]:
        return iter(self._rng.permutation(self._records).tolist())


def loop(trainer: TorchTrainer, everyone: TensorDataset, mask: np.ndarray, seed: int) -> nn.Module:
    """The ordinary training of one model on its part of the records."""
    seeds = Seeds.of(seed)
    model = built(trainer.build, seeds.weights)
    data = Subset(everyone, np.flatnonzero(mask).tolist())
    loader = DataLoader(data, batch_size=trainer.batch_size, sampler=Order(len(data), seeds.order))
    if trainer.optimizer == "adam":
        optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=trainer.lr)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=trainer.lr, momentum=trainer.momentum)
    criterion = nn.CrossEntropyLoss()
    model.train()
    for _ in range(trainer.epochs):
        running = 0.0
        for X, y in loader:
            optimizer.zero_grad()
            loss = criterion(model(X), y)
            loss.backward()
            optimizer.step()
            running += loss.item()
    return model.eval()


def answers(model: nn.Module, pool: Records) -> np.ndarray:
    with torch.no_grad():
        parts = [torch.softmax(model(X), 1) for X in torch.tensor(pool.X).split(2048)]
    return torch.cat(parts).numpy()


@dataclass
class Measured:
    """CPU seconds of both, and how far their models differ."""

    loop: list[float] = field(default_factory=list)
    fleet: list[float] = field(default_factory=list)
    accuracy: float = 0.0
    alone: float = 0.0
    right: tuple[float, float] = (0.0, 0.0)


def measure(case: Case, models: int, repeats: int) -> Measured:
    """Train the models both ways, in turns."""
    pool, result = case.pool(), Measured()
    rng = np.random.default_rng(1)
    masks = np.zeros((models, len(pool)), dtype=bool)
    for mask, other in zip(masks[::2], masks[1::2], strict=True):
        mask[rng.permutation(len(pool))[: case.records]] = True
        other[:] = ~mask
    everyone = TensorDataset(torch.tensor(pool.X), torch.tensor(pool.y))
    alone = next(iter(case.trainer.train_fleet(pool, masks[:1], [0]))).predict_proba(pool)
    loop(case.trainer, everyone, np.arange(len(pool)) < case.trainer.batch_size, 0)  # what is loaded at first use
    for _ in range(repeats):
        seconds, ones = timed(lambda: [loop(case.trainer, everyone, m, i) for i, m in enumerate(masks)])
        result.loop.append(seconds)
        seconds, fleet = timed(lambda: list(case.trainer.train_fleet(pool, masks, range(models))))
        result.fleet.append(seconds)
    theirs = [answers(model, pool) for model in ones]
    both = np.stack([[p.argmax(1) == pool.y for p in theirs], [t.predict(pool) == pool.y for t in fleet]])
    trained, tested = (both & masks).sum(2) / masks.sum(1), (both & ~masks).sum(2) / (~masks).sum(1)
    gaps = [np.abs(part[0].mean() - part[1].mean()) for part in (trained, tested)]
    result.accuracy = float(max(gaps))
    result.alone = float(np.abs(theirs[0] - alone).max()) if len(case.shape) == 1 else in_double(case, pool)
    result.right = (float(trained[1].mean()), float(tested[1].mean()))
    return result


def in_double(case: Case, pool: Records) -> float:
    """How far the probabilities of a fleet of one and of the loop are apart in double precision."""
    trainer = replace(case.trainer, build=lambda: case.trainer.build().double())
    few = pool.take(np.arange(500))
    doubled = Records(few.X.astype(np.float64), few.y)
    everyone = TensorDataset(torch.tensor(doubled.X), torch.tensor(doubled.y))
    slow = answers(loop(trainer, everyone, np.ones(500, dtype=bool), 0), doubled)
    return float(np.abs(slow - trainer.train(doubled, 0).predict_proba(doubled)).max())


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.process_time()
    answer = run()
    return time.process_time() - began, answer


def peak() -> float:
    """Floating-point operations a second of the best of several products of 2,048 x 2,048, in billions."""
    a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
    out = torch.empty(2048, 2048)
    return 2 * 2048**3 / min(timed(lambda: torch.mm(a, b, out=out))[0] for _ in range(6)) / 1e9


def main() -> None:
    chosen = parser(__doc__).parse_args()
    torch.set_num_threads(1)
    models, repeats = (8, 1) if chosen.quick else (16, 3)
    bars: Bars = {}
    rows = []
    for case in cases(chosen.quick):
        most, seen = peak(), measure(case, models, repeats)
        most = max(most, peak())
        slow, fast = float(np.median(seen.loop)), float(np.median(seen.fleet))
        work = 2 * case.work * case.records * models * case.trainer.epochs / 1e9
        shares = [f"{work / seconds / most:.0%}" for seconds in (slow, fast)]
        right = " / ".join(f"{value:.4f}" for value in seen.right)
        rows.append([case.name, slow, fast, f"{slow / fast:.2f}x", *shares, right, seen.accuracy, seen.alone])
        if case.goal is not None:
            bars[f"fleet_{case.name}_times"] = at_least(slow / fast, case.goal)
        bars[f"fleet_{case.name}_accuracy"] = at_most(seen.accuracy, 0.00005)
        bars[f"fleet_{case.name}_of_one"] = {**at_most(seen.alone, 1e-6), "value": seen.alone}
        print(f"{case.name}: {slow / fast:.2f}x, peak {most:.0f} GFLOP/s", flush=True)
    head = ["model", "loop, s", "fleet, s", "faster", "of peak", "of peak", "right (own / new)", "apart", "one apart"]
    note = (
        f"{models} models, medians of {repeats}, CPU seconds of one thread, in turns. Share of the core's peak, "
        "measured as a product of 2,048 x 2,048: loop, then fleet. Apart: accuracies of both, means over the models. "
        "One apart: probabilities of a fleet of one and of the loop, of the convolutional net in double precision: in "
        "single precision the images' other layout rounds otherwise, and a maximum may fall to another pixel."
    )
    tables = [table("Fleets against the DataLoader loop", head, rows, note)]
    finish(bars, chosen.json, tables=tables, peak_gflops=most)


if __name__ == "__main__":
    main()
