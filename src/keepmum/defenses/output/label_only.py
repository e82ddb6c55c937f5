"""Only the predicted class is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from keepmum.data import Records
from keepmum.defenses._base import OutputDefense
from keepmum.defenses.bits import label_bits
from keepmum.errors import NotApplicableError
from keepmum.targets._base import Floats, Indices, LabelTarget, ScoreTarget, Target


class Labels(LabelTarget):
    """The classes that a model with probabilities finds most probable; of equal ones, the first."""

    def __init__(self, inner: ScoreTarget, note: str) -> None:
        super().__init__(inner.classes)
        self.inner, self.notes = inner, [*inner.notes, note]

    def _predict(self, records: Records) -> Indices:
        return np.asarray(self.inner.predict_proba(records).argmax(axis=1), dtype=np.intp)


@dataclass(frozen=True)
class LabelOnly(OutputDefense):
    """Tells the predicted class and nothing else.

    The target behind it is a `LabelTarget`: attacks that need probabilities cannot be played. Those that ask about
    changed records or walk along the decision boundary can.

    References:
      Choquette-Choo, Tramèr, Carlini, Papernot. Label-Only Membership Inference Attacks. ICML 2021, arXiv:2007.14321.
    """

    id: ClassVar[str] = "output/label-only"
    references: ClassVar[tuple[str, ...]] = ("arXiv:2007.14321",)

    def answer(self, scores: Floats) -> Floats:
        """1 for the most probable class, of equal ones the first, and 0 for the others."""
        told = np.zeros_like(scores)
        told[np.arange(len(scores)), scores.argmax(axis=1)] = 1.0
        return told

    def bits(self, classes: int) -> float:
        """``log2 K``."""
        return label_bits(classes)

    def protect(self, target: Target) -> Target:
        """The model, as far as its labels tell.

        Raises:
          NotApplicableError: It tells no classes.
        """
        if isinstance(target, ScoreTarget):
            return Labels(target, f"answers pass {self.name}")
        if isinstance(target, LabelTarget):
            return target
        raise NotApplicableError(f"{self.id} needs label-only access, the target offers {target.access}")
