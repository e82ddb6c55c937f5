"""Units are left out at random while training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._torch_only import torch_recipe
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.training import Trainer


@dataclass(frozen=True)
class WithDropout:
    """Builds another builder's module with dropout after each activation.

    Attributes:
      build: The other builder.
      rate: Share of units that is left out.
    """

    build: Callable[[], Any]
    rate: float

    def __call__(self) -> Any:
        """An untrained module."""
        return with_dropout(self.build(), self.rate)


def with_dropout(module: Any, rate: float) -> Any:
    """Set the rate of every dropout layer; of a sequence without any, put one behind each activation.

    Raises:
      NotApplicableError: It has no dropout layers, and is no sequence with activations.
    """
    from torch import nn

    layers = [part for part in module.modules() if isinstance(part, nn.modules.dropout._DropoutNd)]
    for layer in layers:
        layer.p = rate
    if layers:
        return module
    active = (nn.ReLU, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Sigmoid)
    if not isinstance(module, nn.Sequential) or not any(isinstance(part, active) for part in module):
        raise NotApplicableError("training/dropout needs dropout layers, or a sequence with activations: build them in")
    parts: list[Any] = []
    for part in module:
        parts += [part, nn.Dropout(rate)] if isinstance(part, active) else [part]
    return nn.Sequential(*parts)


@dataclass(frozen=True)
class Dropout(TrainingDefense):
    """Dropout.

    Sets the rate of the module's dropout layers, or puts such layers behind the activations of a sequence. Made against
    overfitting; what it does to leakage is little.

    Attributes:
      rate: Share of units that is left out, between 0 and 1.

    Raises:
      ConfigError: A rate out of range.

    References:
      Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov. Dropout. JMLR 15 (2014), 1929–1958; as a defense: Salem
      et al. ML-Leaks. NDSS 2019, arXiv:1806.01246.
    """

    id: ClassVar[str] = "training/dropout"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1806.01246",)

    rate: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ConfigError(f"expected a rate between 0 and 1, got {self.rate}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with dropout in its modules.

        Raises:
          NotApplicableError: It trains no torch modules, or there is no place for dropout in them.
        """
        recipe = torch_recipe(self, trainer)
        made = WithDropout(recipe.build, self.rate)
        made()
        return replace(recipe, build=made)
