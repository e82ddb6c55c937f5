"""Defenses that change what a torch module's training minimizes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace

from keepmum.defenses._base import TrainingDefense
from keepmum.errors import NotApplicableError
from keepmum.training import Objective, TorchTrainer, Trainer


@dataclass(frozen=True)
class ObjectiveDefense(TrainingDefense):
    """A technique that is an objective; subclasses say which."""

    @abstractmethod
    def objective(self) -> Objective:
        """What is minimized."""

    def protect(self, trainer: Trainer) -> Trainer:
        """The recipe with this objective.

        Raises:
          NotApplicableError: It trains no torch modules, or has a loss or an objective of its own.
        """
        recipe = torch_recipe(self, trainer)
        if recipe.objective is not None or recipe.loss != "cross-entropy":
            raise NotApplicableError(f"{self.id} needs a recipe that minimizes cross-entropy; this one does not")
        return replace(recipe, objective=self.objective())


def torch_recipe(defense: TrainingDefense, trainer: Trainer) -> TorchTrainer:
    """The recipe, if it trains torch modules.

    Raises:
      NotApplicableError: It does not.
    """
    if not isinstance(trainer, TorchTrainer):
        raise NotApplicableError(f"{defense.id} needs a recipe for torch modules, got {type(trainer).__name__}")
    return trainer
