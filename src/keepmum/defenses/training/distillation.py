"""A student learns from a teacher's answers about others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np

from keepmum.data import Records
from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._students import StudentTrainer, digest_of, halves, learned
from keepmum.errors import ConfigError
from keepmum.targets._base import Floats, ScoreTarget
from keepmum.training import Trainer


def warmed(scores: Floats, temperature: float) -> Floats:
    """Probabilities at a temperature, ``p^(1/T)`` made to sum to 1."""
    logs = np.log(np.maximum(scores, 1e-30)) / temperature
    powers = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Taught(StudentTrainer):
    """Trains a teacher on the records, and a student on its answers about reference records."""

    reference: Records | None
    temperature: float

    @property
    def how(self) -> str:
        """Temperature and reference records."""
        return f"distillation at {self.temperature} by {digest_of(self.reference)}"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train teacher, then student."""
        if self.reference is None:
            mine, theirs = halves(records, 0.5, seed)
            taught, reference = records.take(mine), records.take(theirs)
        else:
            taught, reference = records, self.reference
        teacher = self.inner.train(taught, seed)
        soft = warmed(teacher.predict_proba(reference), self.temperature)
        return learned(self.inner, reference, soft, teacher.classes, seed + 1, self.temperature)


@dataclass(frozen=True)
class Distillation(TrainingDefense):
    """Knowledge distillation: the model that is served never saw the members.

    A teacher is trained on the members; a student learns its answers about reference records, and is served. What the
    teacher remembers of members still shows in how it errs elsewhere.

    Attributes:
      reference: Records of the attacker's or of the public, whose labels are not looked at; without any, half of the
        records serve, and the teacher sees the other half.
      temperature: At which the teacher's answers are learned, above 0.

    Raises:
      ConfigError: A temperature that is not above 0.

    References:
      Hinton, Vinyals, Dean. arXiv:1503.02531; Shejwalkar, Houmansadr. Membership Privacy for Machine Learning Models
      Through Knowledge Transfer. AAAI 2021, arXiv:1906.06589.
    """

    id: ClassVar[str] = "training/distillation"
    references: ClassVar[tuple[str, ...]] = ("arXiv:1503.02531", "arXiv:1906.06589")

    temperature: float = 1.0
    reference: Records | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ConfigError(f"expected a temperature above 0, got {self.temperature}")

    @property
    def cost(self) -> float:
        """Teacher and student."""
        return 2.0

    def given(self, public: Records) -> TrainingDefense:
        """The same with these, unless it has some."""
        return replace(self, reference=public) if self.reference is None else self

    def protect(self, trainer: Trainer) -> Trainer:
        """Teacher and student of this recipe."""
        return Taught(trainer, self.reference, self.temperature)
