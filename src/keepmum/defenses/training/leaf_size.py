"""No leaf speaks of a few people only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import turned
from keepmum.errors import ConfigError
from keepmum.training import Trainer


@dataclass(frozen=True)
class LeafSize(TrainingDefense):
    """Smallest leaf of trees and forests, also of gradient boosting.

    Attributes:
      records: Training records in a leaf at least, 2 or more.

    Raises:
      ConfigError: Fewer than 2.

    References:
      Guidelines for output from trusted research environments (SACRO), which ask for enough people in each leaf.
    """

    id: ClassVar[str] = "training/leaf-size"

    records: int = 20

    def __post_init__(self) -> None:
        if self.records < 2:
            raise ConfigError(f"expected at least 2 records in a leaf, got {self.records}")

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with this leaf size.

        Raises:
          NotApplicableError: It grows no trees.
        """
        names = ("min_samples_leaf", "min_child_samples", "min_data_in_leaf", "min_child_weight")
        return turned(self, trainer, dict.fromkeys(names, self.records))
