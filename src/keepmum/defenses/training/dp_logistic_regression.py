"""Differentially private logistic regression in the place of an ordinary one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._knobs import estimator_of
from keepmum.errors import ConfigError, NotApplicableError
from keepmum.training import SklearnTrainer, Trainer


@dataclass(frozen=True)
class DpLogisticRegression(TrainingDefense):
    """Differentially private logistic regression, by noisy gradient descent on all records.

    Takes the place of a scikit-learn ``LogisticRegression``. A pipeline is refused: steps before it that learn from the
    records, such as a scaler, would leak past the guarantee. Bounds take their place.

    Attributes:
      low: Public lower bound of every column.
      high: Public upper bound of every column.
      epsilon: Of the guarantee.
      delta: Of the guarantee.
      steps: Gradient steps.

    Raises:
      ConfigError: A number out of range.

    References:
      Bassily, Smith, Thakurta. FOCS 2014, arXiv:1405.7085.
    """

    id: ClassVar[str] = "training/dp-logistic-regression"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1405.7085",)

    low: float = -3.0
    high: float = 3.0
    epsilon: float = 1.0
    delta: float = 1e-5
    steps: int = 60

    def __post_init__(self) -> None:
        if not self.low < self.high or not self.epsilon > 0 or not 0 < self.delta < 1 or self.steps < 1:
            raise ConfigError(
                "expected low below high, an epsilon above 0, a delta between 0 and 1 and at least 1 step, got "
                f"{self.low}, {self.high}, {self.epsilon}, {self.delta} and {self.steps}"
            )

    def protect(self, trainer: Trainer) -> Trainer:
        """The private recipe.

        Raises:
          NotApplicableError: The recipe is no bare logistic regression.
        """
        from sklearn.linear_model import LogisticRegression

        from keepmum.training.private_logistic import PrivateLogisticRegression

        last = estimator_of(self, trainer)
        assert isinstance(trainer, SklearnTrainer)
        if type(last) is not LogisticRegression or hasattr(trainer.estimator, "steps"):
            raise NotApplicableError(
                f"{self.id} needs a LogisticRegression without steps before it, which would leak past the guarantee"
            )
        made = PrivateLogisticRegression(self.epsilon, self.delta, (self.low, self.high), iterations=self.steps)
        return SklearnTrainer(made)
