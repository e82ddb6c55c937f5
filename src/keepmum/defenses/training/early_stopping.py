"""Training stops when others are not answered better any more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import turned
from keepmum.errors import ConfigError
from keepmum.training import TorchTrainer, Trainer


@dataclass(frozen=True)
class EarlyStopping(TrainingDefense):
    """Early stopping by records that are held out.

    Attributes:
      patience: Passes without a smaller loss on held-out records after which training stops, at least 1.
      held_out: Share of the records that is held out.

    Raises:
      ConfigError: A number out of range.

    References:
      Prechelt. Early Stopping - But When? 1998; as a defense: Song, Mittal. USENIX Security 2021, arXiv:2003.10595.
    """

    id: ClassVar[str] = "training/early-stopping"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2003.10595",)

    patience: int = 2
    held_out: float = 0.1

    def __post_init__(self) -> None:
        if self.patience < 1 or not 0 < self.held_out < 1:
            raise ConfigError(
                "expected a patience of at least 1 and a share between 0 and 1, got "
                f"{self.patience} and {self.held_out}"
            )

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with early stopping.

        Raises:
          NotApplicableError: It cannot stop early.
        """
        if isinstance(trainer, TorchTrainer):
            return replace(trainer, patience=self.patience, held_out=self.held_out)
        values = {"early_stopping": True, "n_iter_no_change": self.patience, "validation_fraction": self.held_out}
        return turned(self, trainer, values)
