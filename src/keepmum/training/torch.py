"""PyTorch training as a declaration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError
from keepmum.targets._base import ScoreTarget
from keepmum.targets._tensors import import_torch
from keepmum.training._base import Trainer
from keepmum.training._canonical import canonical
from keepmum.training.objective import Objective

VERSION = 1
"""Version of the training procedure; a change makes signals stored before unknown."""

LATER: dict[str, Any] = {"objective": None, "patience": 0, "held_out": 0.1}
"""Settings that were added later: at their defaults they are no part of the key, and what was stored stays known."""

Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["constant", "cosine", "linear"]
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class TorchTrainer(Trainer):
    """Trains torch modules on one thread, each with first weights, order and noise of its own seed.

    An attacker who knows architecture and settings trains models of their own. Settings mean what they mean in torch;
    torch's global random numbers and number of threads are left as they were.

    Attributes:
      build: Returns an untrained ``torch.nn.Module`` that gives logits: K, or one for two classes.
      optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
      lr: Learning rate of the first epoch.
      epochs: Passes over the records.
      batch_size: Records in a step; the last step of an epoch takes what is left.
      loss: ``"cross-entropy"`` (logistic for one output), or a function of ``(n, K)`` logits and ``(n,)`` positions of
        classes that returns the mean loss.
      momentum: Of ``"sgd"``.
      weight_decay: As the optimizer means it.
      schedule: Learning rate by epoch: ``"constant"``, or ``"cosine"`` or ``"linear"`` down to 0.
      augment: Function of a batch ``(n, …)`` and a `torch.Generator` that returns a changed batch, or None.
      classes: ``(K,)`` labels in the order of the logits; None for the sorted labels of the records, which may lack
        one between 0 and K - 1 if they are integers.
      device: Where to train; ``"auto"`` takes a GPU where there is one.
      precision: ``"bfloat16"`` computes convolutions and products in half precision: faster on some machines.
      objective: What is minimized instead of ``loss``: see `keepmum.training.Objective`.
      patience: Passes without a smaller loss on held-out records after which training stops, with the best weights so
        far; 0 never stops early and holds nobody out.
      held_out: Share of the records that are held out for that.

    Raises:
      ConfigError: A setting is unknown or out of range.
      MissingExtraError: torch is not installed.
    """

    build: Callable[[], Any]
    optimizer: Optimizer = "adam"
    lr: float = 1e-3
    epochs: int = 20
    batch_size: int = 64
    loss: str | Callable[[Any, Any], Any] = "cross-entropy"
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: Schedule = "constant"
    augment: Callable[[Any, Any], Any] | None = None
    classes: tuple[Any, ...] | None = None
    device: str = "auto"
    precision: Precision = "float32"
    objective: Objective | None = None
    patience: int = 0
    held_out: float = 0.1

    def __post_init__(self) -> None:
        import_torch()
        _check_choices(self)
        _check_numbers(self)
        if not callable(self.build):
            raise ConfigError(
                f"expected a function that builds a module, got {type(self.build).__name__}: give build=lambda: …"
            )
        if self.augment is not None and not callable(self.augment):
            raise ConfigError(f"expected a function of batch and generator as augment, got {self.augment!r}")

    @cached_property
    def key(self) -> str:
        """What the module is, all settings, and the version of torch."""
        from keepmum.training._torch_data import device_named
        from keepmum.training._torch_key import key_of_build

        left_out = {"build", "device", *(name for name in LATER if getattr(self, name) == LATER[name])}
        settings = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in left_out}
        where = device_named(self.device).type
        return (
            f"torch trainer {VERSION} {key_of_build(self.build)} {canonical(settings)} on {where} "
            f"with torch {import_torch().__version__}, numpy {np.__version__}"
        )

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train one model.

        Raises:
          ConfigError: As many classes as the module has outputs are not seen, and ``classes`` was not given.
          TargetError: The module cannot be trained on these records, or training diverged.
        """
        everyone = np.ones((1, len(records)), dtype=bool)
        return next(iter(self.train_fleet(records, everyone, [seed])))

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models.

        Raises:
          ConfigError: As for `train`.
          TargetError: As for `train`.
        """
        from keepmum.targets.torch import TorchTarget
        from keepmum.training._torch_data import Seeds, device_named, fresh, pool_of
        from keepmum.training._torch_fleet import trained

        pool = pool_of(records, fresh(self.build)[0], self.classes, device_named(self.device))
        rows = [np.flatnonzero(mask) for mask in trained_on]
        for module in trained(self, pool, rows, [Seeds.of(seed) for seed in seeds]):
            yield TorchTarget(module, pool.classes, device=self.device)

    @cached_property
    def _alone(self) -> str | None:
        """Why models are trained one after another, as far as the module itself tells."""
        from keepmum.training._torch_data import built, device_named
        from keepmum.training._torch_fleet import why_alone

        return why_alone(self, built(self.build, 0), device_named(self.device))

    @property
    def fleet_size(self) -> int:
        """16 for dense nets, which are trained together, else 2."""
        from keepmum.training._torch_fleet import FLEET

        return FLEET if self._alone is None else 2

    @property
    def fleet_note(self) -> str:
        """Whether a fleet is trained together."""
        if self._alone is None:
            return "together: the module is a sequence of dense layers"
        return f"one after another: {self._alone}"


def _check_choices(recipe: TorchTrainer) -> None:
    for name, choices in (("optimizer", Optimizer), ("schedule", Schedule), ("precision", Precision)):
        value = getattr(recipe, name)
        if value not in get_args(choices):
            raise ConfigError(f"expected {name} to be one of {', '.join(get_args(choices))}, got {value!r}")
    if recipe.loss != "cross-entropy" and not callable(recipe.loss):
        raise ConfigError(f"expected loss to be cross-entropy or a function of logits and labels, got {recipe.loss!r}")
    objective: Any = recipe.objective
    if objective is not None and not isinstance(objective, Objective):
        raise ConfigError(f"expected a keepmum.training.Objective or None as objective, got {recipe.objective!r}")
    if recipe.momentum and recipe.optimizer != "sgd":
        raise ConfigError(f"expected momentum with the optimizer sgd, got it with {recipe.optimizer}: leave it out")


def _check_numbers(recipe: TorchTrainer) -> None:
    for name in ("epochs", "batch_size"):
        value = getattr(recipe, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ConfigError(f"expected {name} to be a whole number of at least 1, got {value!r}")
    for name, low, high in (("lr", 0.0, 1e6), ("momentum", 0.0, 1.0), ("weight_decay", 0.0, 1e6)):
        value = getattr(recipe, name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value < high:
            raise ConfigError(f"expected {name} to be a number from {low:g} up to {high:g}, got {value!r}")
    if recipe.patience < 0 or recipe.patience != int(recipe.patience) or not 0 < recipe.held_out < 1:
        raise ConfigError(
            f"expected a patience of 0 or more passes and a share between 0 and 1, got {recipe.patience!r} and "
            f"{recipe.held_out!r}"
        )
    if recipe.lr == 0:
        raise ConfigError("expected a learning rate above 0, got 0")
