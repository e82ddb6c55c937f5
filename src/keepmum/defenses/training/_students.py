"""Models that learn from the answers of other models."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum._encode import digest
from keepmum.data import Records
from keepmum.defenses.training._soft import SoftLabels
from keepmum.errors import TargetError
from keepmum.targets._base import ScoreTarget
from keepmum.training import TorchTrainer, Trainer

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class StudentTrainer(Trainer):
    """A recipe in several steps; subclasses say which.

    Attributes:
      inner: How each model is trained.
    """

    inner: Trainer

    @property
    @abstractmethod
    def how(self) -> str:
        """What decides the steps, as text."""

    @property
    def key(self) -> str:
        """The recipe's, and the steps."""
        return f"{self.how} of {self.inner.key}"

    @property
    def fleet_note(self) -> str:
        """One after another, each from models of its own."""
        return "one after another: each learns from models of its own"

    @abstractmethod
    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model."""


def several(trainer: Trainer, records: Records, masks: NDArray[np.bool_], seed: int) -> Iterator[ScoreTarget]:
    """Models trained on parts of the records, together where the recipe can, with seeds drawn from one."""
    seeds = [int(s) >> 1 for s in np.random.SeedSequence([seed, 0x73747564]).generate_state(len(masks), np.uint32)]
    yield from trainer.train_fleet(records, masks, seeds)


def learned(
    trainer: Trainer, records: Records, soft: Floats, classes: NDArray[Any], seed: int, temperature: float = 1.0
) -> ScoreTarget:
    """A model trained on soft labels; where the recipe takes none, on the likeliest classes.

    Args:
      trainer: The recipe.
      records: Inputs; their labels are not looked at.
      soft: ``(n, K)`` probabilities.
      classes: ``(K,)`` labels in their order.
      seed: Of the training.
      temperature: At which torch modules learn soft labels.

    Raises:
      TargetError: Training failed.
    """
    if isinstance(trainer, TorchTrainer):
        return _from_soft(trainer, records, (soft, classes), seed, temperature)
    labels = np.asarray(classes)[soft.argmax(axis=1)]
    if len(np.unique(labels)) < 2:
        raise TargetError("expected a teacher that tells at least two classes apart, got one that answers one class")
    return trainer.train(Records(records.X, labels), seed)


def _from_soft(
    trainer: TorchTrainer, records: Records, told: tuple[Floats, NDArray[Any]], seed: int, temperature: float
) -> ScoreTarget:
    from dataclasses import replace

    import torch

    from keepmum.targets.torch import TorchTarget
    from keepmum.training._torch_data import Seeds, device_named, fresh, pool_of
    from keepmum.training._torch_fleet import trained

    soft, classes = told
    template = fresh(trainer.build)[0]
    device = device_named(trainer.device)
    hard = Records(records.X, np.asarray(classes)[soft.argmax(axis=1)])
    pool = pool_of(hard, template, tuple(np.asarray(classes).tolist()), device)
    y = torch.as_tensor(soft, dtype=pool.X.dtype, device=device)
    rows = [np.arange(len(records))]
    alone = replace(trainer, objective=trainer.objective or SoftLabels(temperature))
    module = next(iter(trained(alone, replace(pool, y=y), rows, [Seeds.of(seed)])))
    return TorchTarget(module, pool.classes, device=trainer.device)


def digest_of(records: Records | None) -> str:
    """Records as text, for a key."""
    return "none" if records is None else digest(records)


def halves(records: Records, share: float, seed: int) -> Sequence[NDArray[np.bool_]]:
    """Two parts of the records, the first of this share, drawn at random; each class has a record in both if it can."""
    rng = np.random.default_rng([seed, 0x68616C66])
    first = np.zeros(len(records), dtype=bool)
    for label in np.unique(records.y):
        rows = rng.permutation(np.flatnonzero(records.y == label))
        first[rows[: max(1, round(share * len(rows)))]] = True
    return first, ~first
