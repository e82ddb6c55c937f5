"""Each record is answered by models that did not see it, and the model that is served learns these answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.defenses._base import TrainingDefense
from keepmum.defenses.training._students import StudentTrainer, learned, several
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._base import ScoreTarget
from keepmum.training import Trainer


def left_out(records: int, models: int, without: int, seed: int) -> NDArray[np.bool_]:
    """``(models, records)`` who is trained on whom: each record is left out of exactly ``without`` models."""
    rng = np.random.default_rng([seed, 0x73656C65])
    order = rng.random((models, records)).argsort(axis=0)
    return np.asarray(order >= without)


@dataclass(frozen=True)
class SplitAI(StudentTrainer):
    """Trains sub-models on parts of the records, and a student on the answers of those that did not see a record."""

    models: int
    without: int

    @property
    def how(self) -> str:
        """Number of sub-models, and how many do not see a record."""
        return f"split-AI of {self.models}, {self.without} without each record, self-distilled"

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Train sub-models, then the student."""
        masks = left_out(len(records), self.models, self.without, seed)
        classes = np.unique(records.y)
        place = {label: position for position, label in enumerate(classes.tolist())}
        soft = np.zeros((len(records), len(classes)))
        for mask, model in zip(masks, several(self.inner, records, masks, seed), strict=True):
            columns = [place[label] for label in model.classes.tolist() if label in place]
            known = [number for number, label in enumerate(model.classes.tolist()) if label in place]
            rows = np.flatnonzero(~mask)
            soft[rows[:, None], np.array(columns)] += model.predict_proba(records.take(rows))[:, known]
        total = soft.sum(axis=1, keepdims=True)
        if not (total > 0).all():
            raise TargetError("expected sub-models that answer every record, got none for some")
        return learned(self.inner, records, soft / total, classes, seed)


@dataclass(frozen=True)
class Selena(TrainingDefense):
    """Split-AI and self-distillation, as in SELENA.

    K sub-models are trained so that each record is left out of L of them. A record's soft label is the mean answer of
    these L, as if it were no member; the model that is served is trained on the records with these labels. Whoever
    stands twice in the data, or has a near-duplicate, is not protected, so canaries stand twice here.

    Attributes:
      models: Sub-models, K; the paper takes 25.
      without: Sub-models that do not see a record, L; the paper takes 10.

    Raises:
      ConfigError: L is not between 1 and K - 1.

    References:
      Tang, Mahloujifar, Song, Shejwalkar, Nasr, Houmansadr, Mittal. Mitigating Membership Inference Attacks by
      Self-Distillation Through a Novel Ensemble Architecture. USENIX Security 2022, arXiv:2110.08324.
    """

    id: ClassVar[str] = "training/selena"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2110.08324",)
    canaries: ClassVar[str] = "duplicated"

    models: int = 8
    without: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.without < self.models:
            raise ConfigError(
                f"expected at least 2 models, of which 1 or more but not all are without a record, got {self.models} "
                f"and {self.without}"
            )

    @property
    def cost(self) -> float:
        """Sub-models on a part of the records each, and a student."""
        return float(self.models - self.without + 1)

    def protect(self, trainer: Trainer) -> Trainer:
        """Sub-models and student of this recipe."""
        return SplitAI(trainer, self.models, self.without)
