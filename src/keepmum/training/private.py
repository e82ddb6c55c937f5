"""Differentially private training: DP-SGD as a declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget
from keepmum.training._base import Trainer
from keepmum.training._canonical import canonical
from keepmum.training._private_random import normal, uniform
from keepmum.training._spending import check_spending, noise_of
from keepmum.training.statement import Statement
from keepmum.training.torch import TorchTrainer

VERSION = 2
"""Version of the procedure; a change makes signals stored before unknown."""


class Mechanism:
    """The steps of DP-SGD, one method each: an audit may watch them, and a test may plant a fault in one."""

    def sample(self, n: int, rate: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """Places of the records of a step: each is drawn with probability ``rate``, independently of the others."""
        return np.flatnonzero(rng.random(n) < rate)

    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        """Sum of the records' gradients, each scaled to a norm of at most ``clip``, ``(p,)``.

        With several views of each record, ``X`` holds ``v`` times as many rows as ``y``.
        """
        from keepmum.training._private_gradients import clipped_sum
        from keepmum.training._private_loop import losses

        return clipped_sum(module, X, y, clip, losses)

    def noise(self, size: int, sd: float, generator: Any) -> Any:
        """Gaussian noise with this standard deviation, ``(size,)``."""
        import torch

        return torch.randn(size, generator=generator) * sd

    def normalizer(self, expected: float, drawn: int) -> float:
        """What the sum is divided by: the expected number of records, whatever was drawn."""
        return expected


class Unrepeatable(Mechanism):
    """Another mechanism, whose draws and noise come from the operating system and from no seed.

    Args:
      inner: The other mechanism.
    """

    def __init__(self, inner: Mechanism) -> None:
        self.inner = inner

    def sample(self, n: int, rate: float, rng: np.random.Generator) -> NDArray[np.intp]:
        """Places of the records of a step, each drawn by itself."""
        return np.flatnonzero(uniform(n) < rate)

    def clipped_sum(self, module: Any, X: Any, y: Any, clip: float) -> Any:
        """That of the other mechanism."""
        return self.inner.clipped_sum(module, X, y, clip)

    def noise(self, size: int, sd: float, generator: Any) -> Any:
        """Gaussian noise with this standard deviation."""
        import torch

        return torch.from_numpy(normal(size) * sd).float()

    def normalizer(self, expected: float, drawn: int) -> float:
        """That of the other mechanism."""
        return self.inner.normalizer(expected, drawn)


@dataclass(frozen=True, eq=False)
class Step:
    """One step of DP-SGD, as whoever watches sees it.

    Attributes:
      number: From 0.
      rows: ``(b,)`` places of the records that were drawn.
      clipped: ``(p,)`` sum of clipped gradients.
      released: ``(p,)`` the same with noise: what is published.
      normalizer: What the released sum is divided by.
      sd: Standard deviation of the noise that was asked for.
      clip: Largest norm of a record's part.
      rate: Probability with which each record is drawn.
    """

    number: int
    rows: NDArray[np.intp]
    clipped: Any
    released: Any
    normalizer: float
    sd: float
    clip: float
    rate: float


Watch = Callable[[Step], None]


@dataclass(frozen=True)
class PrivateTrainer(Trainer):
    """Trains torch modules by DP-SGD: records drawn independently, gradients clipped one by one, Gaussian noise.

    The guarantee is for adding or removing one record. The number of records is taken to be public; it decides the
    rate. A recipe that changes its records shows each record's changed views to the model, and clips the gradient of
    their mean loss: however many views, a record counts once. Optimizer, learning rate and schedule are those of the
    inner recipe, and see nothing but the noisy sums. Seeds decide all that is drawn, so that an audit can be repeated:
    whoever knows the seed knows the noise. For a model that is released, train with ``secure=True``.

    Attributes:
      inner: Module, optimizer, learning rate, epochs; its loss is cross-entropy.
      noise: Noise multiplier: standard deviation over ``clip``; None to choose it for ``epsilon``.
      epsilon: What training may spend, if ``noise`` is None.
      delta: Of the guarantee.
      clip: Largest norm of a record's gradient, above 0.
      batch: Expected number of records in a step; with the number of records it makes the rate.
      views: Changed copies of each record in a step, at least 1 (augmentation multiplicity); more than 1 wants a recipe
        with ``augment``.
      secure: Whether rows and noise are drawn from the operating system's randomness and not from the seed.
      tried: Trainings of other settings on the same records before this one, as far as they are known.
      mechanism: The steps.

    Raises:
      ConfigError: A number out of range, neither noise nor epsilon, or an inner recipe with a loss or an objective of
        its own.

    References:
      Abadi et al. Deep Learning with Differential Privacy. CCS 2016, arXiv:1607.00133, algorithm 1;
      De, Berrada, Hayes, Smith, Balle. Unlocking High-Accuracy Differentially Private Image Classification through
      Scale. 2022, arXiv:2204.13650 (augmentation multiplicity).
    """

    inner: TorchTrainer
    noise: float | None = None
    epsilon: float | None = None
    delta: float = 1e-5
    clip: float = 1.0
    batch: int = 64
    views: int = 1
    secure: bool = False
    tried: int | None = None
    mechanism: Mechanism = field(default_factory=Mechanism, compare=False)

    def __post_init__(self) -> None:
        check_spending(self)
        if self.views < 1 or (self.views > 1 and self.inner.augment is None):
            raise ConfigError(
                f"expected 1 view of each record, or more of a recipe with augment, got {self.views} "
                f"{'without' if self.inner.augment is None else 'with'} augment"
            )
        if self.inner.objective is not None or self.inner.loss != "cross-entropy" or self.inner.patience:
            raise ConfigError("expected a recipe that minimizes cross-entropy and does not stop early, got another one")

    @property
    def key(self) -> str:
        """The inner recipe's and all settings."""
        aside = {"inner", "mechanism", "tried"} | ({"views"} if self.views == 1 else set())
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in aside}
        return f"private trainer {VERSION} {canonical(self.mechanism)} {told} of {self.inner.key}"

    @property
    def fleet_note(self) -> str:
        """One after another."""
        return "one after another: each gradient is clipped by itself"

    @property
    def in_use(self) -> Mechanism:
        """The mechanism, with the randomness that training uses."""
        return Unrepeatable(self.mechanism) if self.secure else self.mechanism

    def rate(self, records: int) -> float:
        """Probability with which each of so many records is drawn in a step."""
        return min(1.0, self.batch / records)

    def steps(self, records: int) -> int:
        """Steps: passes of the inner recipe, each as many as batches fit into the records."""
        return max(1, round(self.inner.epochs / self.rate(records)))

    def noise_for(self, records: int) -> float:
        """Noise multiplier for so many records: given, or the smallest that keeps to epsilon.

        Raises:
          ConfigError: No noise keeps to it.
          MissingExtraError: dp-accounting is not installed.
        """
        return noise_of(self, self.rate(records), self.steps(records))

    def statement(self, records: int) -> Statement:
        """What can be said about a model that is trained on so many records.

        Raises:
          MissingExtraError: dp-accounting is not installed.
        """
        from keepmum.training.statement import of_sampled_sums

        return of_sampled_sums(
            noise=self.noise_for(records),
            rate=self.rate(records),
            steps=self.steps(records),
            delta=self.delta,
            clip=self.clip,
            secure=self.secure,
            tried=self.tried,
        )

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model.

        Raises:
          ConfigError: Classes cannot be told, or the module lets records change each other's answers.
          TargetError: Training failed or diverged.
        """
        return self.train_watched(records, seed, None)

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models; all records tell the classes."""
        classes = tuple(np.unique(records.y).tolist())
        for mask, seed in zip(trained_on, seeds, strict=True):
            yield self.train_watched(records.take(mask), seed, None, classes)

    def train_watched(
        self, records: Records, seed: int, watch: Watch | None, classes: tuple[Any, ...] | None = None
    ) -> ScoreTarget:
        """Train one model, and let somebody see every step; see `train`.

        Args:
          records: Whom it is trained on.
          seed: Of first weights, draws and noise; of the first weights alone where ``secure``.
          watch: Called after each step, before the weights change.
          classes: Labels in the order of the outputs, where the records may lack one.
        """
        from keepmum.targets.torch import TorchTarget
        from keepmum.training._private_loop import train_private
        from keepmum.training._torch_data import Seeds, built, device_named, fresh, pool_of

        device = device_named(self.inner.device)
        pool = pool_of(records, fresh(self.inner.build)[0], self.inner.classes or classes, device)
        seeds = Seeds.of(seed)
        module = built(self.inner.build, seeds.weights).to(device)
        train_private(self, module, pool, seeds, watch)
        target = TorchTarget(module, pool.classes, device=self.inner.device)
        target.notes = [*target.notes, self.said(len(records))]
        return target

    def said(self, records: int) -> str:
        """One line about the guarantee, for reports."""
        noise = self.noise_for(records)
        if self.epsilon is not None:
            bound = f"epsilon {self.epsilon:g} at delta {self.delta:g}"
        else:
            bound = f"delta {self.delta:g}; its epsilon stands in the statement"
        return f"trained by DP-SGD with noise {noise:.3g} times the clipping norm, {bound}, for one record more or less"
