"""Checks on the model object itself: no query is needed to see what it holds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from keepmum.attacks._base import Attack, Context
from keepmum.data import Records, Split
from keepmum.errors import NotApplicableError
from keepmum.findings import Finding, Outcome
from keepmum.stats import Estimate
from keepmum.targets._base import Target
from keepmum.targets.averaged import repeats_of

LEVEL = 0.05


@dataclass(frozen=True)
class Examination:
    """What a structural check saw.

    Attributes:
      explanation: One sentence for a lay reader.
      p_value: Evidence that members are treated unlike people the model never saw; None where nothing is tested.
      metrics: On the members.
      control: On the non-members.
      baseline: Without the model.
      inconclusive: Why nothing can be said, if so.
    """

    explanation: str
    p_value: float | None = None
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    control: Mapping[str, Estimate] = field(default_factory=dict)
    baseline: Mapping[str, Estimate] = field(default_factory=dict)
    inconclusive: str = ""


@dataclass(frozen=True)
class StructuralAttack(Attack[Target]):
    """A check on the model object. Its control is always the same look at people that the model never saw."""

    needs: ClassVar[type[Target]] = Target
    sees: ClassVar[str] = "model file"

    @property
    def access(self) -> str:
        """What the check looks at."""
        return self.sees

    @abstractmethod
    def examine(self, target: Target, data: Split, ctx: Context) -> Examination:
        """Look, and compare members with non-members.

        Raises:
          NotApplicableError: The model has nothing of the kind.
        """

    @final
    def run(self, target: Target, data: Split, ctx: Context) -> Finding:
        """Examine and report."""
        before = target.queries
        seen = self.examine(target, data, ctx)
        outcome = Outcome.NO_LEAK_FOUND
        if seen.inconclusive:
            outcome = Outcome.INCONCLUSIVE
        elif seen.p_value is not None and seen.p_value <= LEVEL:
            outcome = Outcome.LEAK
        return Finding(
            id=self.name,
            family=self.family,
            outcome=outcome,
            access=self.access,
            queries=(target.queries - before) * repeats_of(target),
            metrics=seen.metrics,
            baseline=seen.baseline,
            control=seen.control,
            p_value=seen.p_value,
            explanation=seen.explanation,
            reason=seen.inconclusive,
            references=self.references,
        )


def model_of(target: Target) -> Any:
    """The fitted model.

    Raises:
      NotApplicableError: Only its answers are at hand.
    """
    if target.internals is None:
        raise NotApplicableError("needs the model itself; only its answers are at hand")
    return target.internals


def estimators(model: Any, X: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every estimator and transformer inside a model, each with the records as they reach it."""
    if depth > 6:
        return
    if hasattr(model, "steps") and hasattr(model, "named_steps"):
        stages, inner = [], X
        for _, step in model.steps:
            stages.append((step, inner))
            if step is not model.steps[-1][1] and step is not None and step != "passthrough":
                inner = step.transform(inner)
        for step, reaching in reversed(stages):  # the model proper first
            yield from estimators(step, reaching, depth + 1)
        return
    yield model, X
    for part, reaching in _parts(model, X):
        yield from estimators(part, reaching, depth + 1)


def _parts(model: Any, X: Any) -> Iterator[tuple[Any, Any]]:
    """Fitted parts of an estimator, each with the columns that it gets."""
    if hasattr(model, "transformers_"):
        from sklearn.utils import _safe_indexing

        for _, part, columns in model.transformers_:
            if hasattr(part, "transform"):
                yield part, _safe_indexing(X, columns, axis=1)
        return
    subsets = getattr(model, "estimators_features_", None)
    if subsets is not None and (not hasattr(X, "columns")):
        yield from ((part, X[:, columns]) for part, columns in zip(model.estimators_, subsets, strict=True))
        return
    for name, value in sorted(vars(model).items() if hasattr(model, "__dict__") else ()):
        held = name.endswith("_") or name == "transformer_list" or _is_calibrated(model)
        for item in (value if isinstance(value, (list, tuple)) else (value,)) if held else ():
            part = item[1] if name == "transformer_list" else item
            answers = hasattr(part, "predict") or hasattr(part, "transform") or _is_calibrated(part)
            if answers and hasattr(part, "__dict__") and not isinstance(part, type):
                yield part, X


def _is_calibrated(model: Any) -> bool:
    """The part of a calibrated classifier that holds a fitted estimator under a name without underscore."""
    return type(model).__name__ == "_CalibratedClassifier"


def dense_rows(X: Any) -> NDArray[np.float32] | None:
    """Records as comparable rows of 32-bit floats, or None where they are not numbers."""
    values = X.toarray() if hasattr(X, "toarray") else np.asarray(X)
    if values.dtype.kind not in "fiub" or values.ndim != 2:
        return None
    return np.ascontiguousarray(values, dtype=np.float32) + np.float32(0)


def everyone(data: Split, most: int, rng: np.random.Generator) -> tuple[Records, int]:
    """Up to ``most`` members drawn at random, then equally many non-members; the number of members."""
    size = min(most, len(data.members), len(data.nonmembers))
    ours, theirs = (side.take(rng.permutation(len(side))[:size]) for side in (data.members, data.nonmembers))
    return ours.join(theirs), size
