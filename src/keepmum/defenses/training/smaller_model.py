"""A model that can hold less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import estimator_of, shrunk, turned
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.training import TorchTrainer, Trainer


@dataclass(frozen=True)
class SmallerModel(TrainingDefense):
    """A smaller model.

    Of scikit-learn's estimators the widths of hidden layers, or the number, depth and leaves of trees are multiplied by
    a share. For torch recipes a builder of the smaller module must be given.

    Attributes:
      share: Of the size, between 0 and 1.
      build: Returns the smaller untrained torch module.

    Raises:
      ConfigError: A share out of range.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, on overfitting.
    """

    id: ClassVar[str] = "training/smaller-model"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)

    share: float = 0.25
    build: Callable[[], Any] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigError(f"expected a share between 0 and 1, got {self.share}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe for a smaller model.

        Raises:
          NotApplicableError: It has nothing that could be smaller, or a torch recipe and no builder.
        """
        if isinstance(trainer, TorchTrainer):
            if self.build is None:
                raise NotApplicableError(f"{self.id} needs a smaller module: give build=lambda: …")
            return replace(trainer, build=self.build)
        now = estimator_of(self, trainer).get_params(deep=False)
        sizes = ("hidden_layer_sizes", "n_estimators", "max_iter", "max_leaf_nodes", "num_leaves", "max_depth")
        trees = {name for name in ("max_leaf_nodes", "num_leaves", "max_depth") if name in now}
        names = [n for n in sizes if n in now and now[n] is not None and (n != "max_iter" or trees)]
        if not names:
            raise NotApplicableError(f"{self.id} needs a size that is set, such as max_depth or hidden_layer_sizes")
        return turned(self, trainer, {name: shrunk(now[name], self.share, 2) for name in names})
