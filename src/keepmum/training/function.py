"""Training procedures given as a function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keepmum.data import Records
from keepmum.errors import ConfigError, KeepmumError, TargetError
from keepmum.targets._base import ScoreTarget
from keepmum.training._base import Trainer


@dataclass(frozen=True)
class FunctionTrainer(Trainer):
    """A function ``train(records, seed)`` that returns a model: whatever `keepmum.audit` takes as one.

    Attributes:
      function: The training procedure; the same records and seed must give the same model.
      name: The procedure's key. keepmum cannot see what the function does: change the name whenever it changes, or
        answers of models that the old one trained are taken for those of the new one.
      classes: ``(K,)`` labels in the order of the probabilities, for models that do not tell them.
    """

    function: Callable[[Records, int], Any]
    name: str
    classes: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ConfigError("expected a name for the training function: answers are stored under it")

    @property
    def key(self) -> str:
        """The name that was given, and the classes."""
        return f"function {self.name} classes {self.classes!r}"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Call the function.

        Raises:
          TargetError: It failed, or what it returned tells no probabilities.
        """
        from keepmum.targets.coerce import as_target

        try:
            model = self.function(records, seed)
        except KeepmumError:
            raise
        except Exception as err:
            raise TargetError(f"the training function {self.name!r} failed: {type(err).__name__}: {err}") from err
        target = as_target(model, records.y, self.classes, probe=records)
        if not isinstance(target, ScoreTarget):
            raise TargetError(f"expected a model with probabilities from {self.name!r}, got {target.access} access")
        return target
