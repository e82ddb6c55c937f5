"""Fitted estimators with the scikit-learn interface: classifiers, pipelines, XGBoost, LightGBM, regressors."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget


def _ask(method: Any, records: Records) -> Any:
    """Ask the model; what it raises about the records becomes one line."""
    try:
        return method(records.X)
    except TargetError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as err:
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise TargetError(f"the model could not answer about these records ({type(err).__name__}: {first})") from err


class SklearnScores(ScoreTarget):
    """A classifier asked through ``predict_proba``."""

    def __init__(self, model: Any, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._model = model

    @property
    def internals(self) -> Any:
        return self._model

    def _predict_proba(self, records: Records) -> Floats:
        return np.asarray(_ask(self._model.predict_proba, records), dtype=np.float64)


class SklearnMargins(ScoreTarget):
    """A classifier without probabilities, asked through ``decision_function``; margins are squashed to 0 … 1."""

    def __init__(self, model: Any, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._model = model
        self.notes.append("The model gives margins (decision_function); they were squashed to probabilities.")

    @property
    def internals(self) -> Any:
        return self._model

    def _predict_proba(self, records: Records) -> Floats:
        from scipy.special import expit, softmax

        margin = np.asarray(_ask(self._model.decision_function, records), dtype=np.float64)
        if margin.ndim == 1:
            return np.column_stack([expit(-margin), expit(margin)])
        return np.asarray(softmax(margin, axis=1))


class SklearnLabels(LabelTarget):
    """A classifier that tells labels only."""

    def __init__(self, model: Any, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._model = model

    @property
    def internals(self) -> Any:
        return self._model

    def _predict(self, records: Records) -> Indices:
        return self.positions(np.asarray(_ask(self._model.predict, records)).ravel())


class SklearnValues(RegressionTarget):
    """A regressor asked through ``predict``."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    @property
    def internals(self) -> Any:
        return self._model

    def _predict_value(self, records: Records) -> Floats:
        return np.asarray(_ask(self._model.predict, records), dtype=np.float64)


def from_sklearn(model: Any) -> LabelTarget | RegressionTarget:
    """Target for a fitted estimator: the most telling interface that it has.

    Raises:
      TargetError: The estimator is not fitted, or predicts several outputs at once.
    """
    if not hasattr(model, "predict"):
        raise TargetError(f"expected a fitted model with predict or predict_proba, got {type(model).__name__}")
    if _is_regressor(model):
        return SklearnValues(model)
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise TargetError(f"expected a fitted classifier, got {type(model).__name__} without classes_: fit it first")
    if isinstance(classes, list):
        raise TargetError("expected a model with one output, got one that predicts several: audit each output alone")
    if _answers(model, "predict_proba"):
        return SklearnScores(model, classes)
    if _answers(model, "decision_function") and not _pairwise(model):
        return SklearnMargins(model, classes)
    return SklearnLabels(model, classes)


def _answers(model: Any, method: str) -> bool:
    """Whether the method is there; scikit-learn hides what a setting forbids (SVC without probabilities)."""
    try:
        return callable(getattr(model, method))
    except AttributeError:
        return False


def _pairwise(model: Any) -> bool:
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    return getattr(last, "decision_function_shape", None) == "ovo" and len(model.classes_) > 2


def _is_regressor(model: Any) -> bool:
    last = model.steps[-1][1] if hasattr(model, "steps") else model
    kind = getattr(last, "_estimator_type", None)
    if kind is None and hasattr(last, "__sklearn_tags__"):
        kind = getattr(last.__sklearn_tags__(), "estimator_type", None)
    return bool(kind == "regressor") or (not hasattr(model, "classes_") and _fitted_regressor(last))


def _fitted_regressor(model: Any) -> bool:
    return any(base.__name__ == "RegressorMixin" for base in type(model).__mro__)
