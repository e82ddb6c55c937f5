"""Parameters of scikit-learn estimators that a defense turns, also at the end of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keepmum.defenses._base import TrainingDefense
from keepmum.errors import NotApplicableError
from keepmum.training import SklearnTrainer, Trainer


def estimator_of(defense: TrainingDefense, trainer: Trainer) -> Any:
    """The last step of the recipe's estimator.

    Raises:
      NotApplicableError: It is no recipe of scikit-learn's.
    """
    if not isinstance(trainer, SklearnTrainer):
        raise NotApplicableError(f"{defense.id} does not suit a recipe of the kind {type(trainer).__name__}")
    steps = getattr(trainer.estimator, "steps", None)
    return steps[-1][1] if steps else trainer.estimator


def turned(defense: TrainingDefense, trainer: Trainer, values: Mapping[str, Any]) -> SklearnTrainer:
    """The recipe with those of the parameters set that its estimator has.

    Raises:
      NotApplicableError: It has none of them.
    """
    from sklearn.base import clone

    last = estimator_of(defense, trainer)
    known = last.get_params(deep=False)
    there = {name: value for name, value in values.items() if name in known}
    if not there:
        raise NotApplicableError(f"{defense.id} needs one of {', '.join(values)}; {type(last).__name__} has none")
    assert isinstance(trainer, SklearnTrainer)
    copy = clone(trainer.estimator)
    (copy.steps[-1][1] if hasattr(copy, "steps") else copy).set_params(**there)
    return SklearnTrainer(copy)


def shrunk(value: Any, share: float, least: int = 1) -> Any:
    """A whole number, or each of some, times a share; None stays."""
    if isinstance(value, (tuple, list)):
        return tuple(shrunk(each, share, least) for each in value)
    return value if value is None else max(least, round(value * share))
