"""The two tasks that defenses are held against each other on: a table and images, both small and remembered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from keepmum.data import Records, Split
from keepmum.training import TorchTrainer

CLASSES = 50
COLUMNS = 300


@dataclass(frozen=True)
class Mlp:
    """Builds a dense net: inputs, hidden widths, outputs."""

    sizes: tuple[int, ...]

    def __call__(self) -> Any:
        from torch import nn

        parts: list[Any] = []
        for one, other in zip(self.sizes[:-1], self.sizes[1:], strict=True):
            parts += [nn.Linear(one, other), nn.ReLU()]
        return nn.Sequential(*parts[:-1])


@dataclass(frozen=True)
class Cnn:
    """Builds a small convolutional net for images of 8 by 8 pixels."""

    def __call__(self) -> Any:
        from torch import nn

        return nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 10),
        )


@dataclass(frozen=True)
class Task:
    """A recipe, its records, and others of the same kind for defenses that need some.

    Attributes:
      name: What it is called.
      trainer: The recipe.
      split: The records.
      reference: Others.
    """

    name: str
    trainer: TorchTrainer
    split: Split
    reference: Records


def purchases(count: int, seed: int, flip: float = 0.385) -> Records:
    """Baskets: 50 kinds of customers with 300 goods each, bought or not, that differ from their kind in some."""
    rng = np.random.default_rng([seed, 0x62736B74])
    kinds = rng.random((CLASSES, COLUMNS)) < 0.5
    label = rng.integers(0, CLASSES, count)
    X = kinds[label] ^ (rng.random((count, COLUMNS)) < flip)
    return Records(X.astype(np.float32), label)


def tabular(seed: int, records: int = 4300, epochs: int = 40) -> Task:
    """300 binary columns, 50 classes, a dense net that fits half of the records to the last."""
    drawn = purchases(records + records // 2, seed)
    order = np.arange(len(drawn.y))
    mine, others = order[:records], order[records:]
    half = records // 2
    split = Split(drawn.take(mine[:half]), drawn.take(mine[half:]))
    trainer = TorchTrainer(Mlp((COLUMNS, 256, CLASSES)), lr=1e-3, epochs=epochs, batch_size=64)
    return Task("table", trainer, split, drawn.take(others))


def digits(seed: int, records: int = 1100, noise: float = 0.45, epochs: int = 40) -> Task:
    """Handwritten digits of 8 by 8 pixels under noise, a convolutional net that fits half of some of them."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    rng = np.random.default_rng([seed, 0x64696769])
    order = rng.permutation(len(bunch.target))
    X = bunch.images[order] / 16 + rng.normal(0, noise, bunch.images.shape)
    drawn = Records(X[:, None].astype(np.float32), bunch.target[order])
    half = records // 2
    place = np.arange(len(order))
    split = Split(drawn.take(place[:half]), drawn.take(place[half:records]))
    trainer = TorchTrainer(Cnn(), lr=2e-3, epochs=epochs, batch_size=32)
    return Task("images", trainer, split, drawn.take(place[records:]))
