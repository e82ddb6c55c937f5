"""The loss is kept from falling below a level."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from keepmum.defenses.training._losses import cross_entropy, one_hot
from keepmum.defenses.training._torch_only import ObjectiveDefense
from keepmum.errors import ConfigError
from keepmum.training import Moment, Objective


@dataclass(frozen=True)
class Relaxed(Objective):
    """Descends above a level of the mean loss; below it ascends in even passes, and flattens answers in odd ones."""

    level: float
    upper: float

    def loss(self, forward: Callable[[Any], Any], X: Any, y: Any, moment: Moment) -> Any:
        """Loss of a batch."""
        logits = forward(X)
        loss = cross_entropy(logits, y)
        if float(loss.detach()) >= self.level:
            return loss
        return -loss if moment.epoch % 2 == 0 else cross_entropy(logits, self._flattened(logits, y))

    def _flattened(self, logits: Any, y: Any) -> Any:
        """What is left beside the true class is spread over the others alike."""
        classes = logits.shape[1]
        truth = one_hot(y, classes)
        own = (logits.detach().softmax(dim=1) * truth).sum(dim=1, keepdim=True).clamp(max=self.upper)
        return truth * own + (1 - truth) * (1 - own) / (classes - 1)


@dataclass(frozen=True)
class RelaxLoss(ObjectiveDefense):
    """RelaxLoss: members are not fitted better than a level that others reach too.

    Attributes:
      level: Mean cross-entropy in nats below which training turns, above 0. It must be chosen for the task.
      upper: Largest probability of the true class in flattened answers.

    Raises:
      ConfigError: A number out of range.

    References:
      Chen, Yu, Fritz. RelaxLoss: Defending Membership Inference Attacks without Losing Utility. ICLR 2022,
      arXiv:2207.05801, algorithm 1.
    """

    id: ClassVar[str] = "training/relaxloss"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2207.05801",)

    level: float = 0.8
    upper: float = 1.0

    def __post_init__(self) -> None:
        if not self.level > 0 or not 0 < self.upper <= 1:
            raise ConfigError(
                f"expected a level above 0 and an upper probability up to 1, got {self.level} and {self.upper}"
            )

    def objective(self) -> Objective:
        """Relaxed cross-entropy."""
        return Relaxed(self.level, self.upper)
