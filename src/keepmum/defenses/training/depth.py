"""Trees ask few questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import turned
from keepmum.errors import ConfigError
from keepmum.training import Trainer


@dataclass(frozen=True)
class Depth(TrainingDefense):
    """Largest depth of trees and forests, also of gradient boosting.

    Attributes:
      levels: Questions from the root to a leaf at most, 1 or more.

    Raises:
      ConfigError: Fewer than 1.

    References:
      Yeom, Giacomelli, Fredrikson, Jha. CSF 2018, arXiv:1709.01604, on the depth of decision trees.
    """

    id: ClassVar[str] = "training/depth"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1709.01604",)

    levels: int = 6

    def __post_init__(self) -> None:
        if self.levels < 1:
            raise ConfigError(f"expected at least 1 level, got {self.levels}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with this depth.

        Raises:
          NotApplicableError: It grows no trees.
        """
        return turned(self, trainer, {"max_depth": self.levels})
