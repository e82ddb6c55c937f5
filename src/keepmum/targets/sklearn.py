"""Fitted estimators with the scikit-learn interface: classifiers, pipelines, XGBoost, LightGBM, regressors."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.targets._base import Floats, Indices, LabelTarget, RegressionTarget, ScoreTarget

NO_ANSWER = "The model gives some records no class at all (every probability 0); those count as all classes alike."


def answer_of(method: Callable[[Any], Any], records: Records) -> Any:
    """Ask the model; what it raises about the records becomes one line.

    Raises:
      TargetError: The model could not answer.
    """
    try:
        return method(records.X)
    except _failures() as err:
        first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
        raise TargetError(
            f"the model could not answer about these records ({type(err).__name__}: {first}): give it the columns and "
            "types that it was trained on"
        ) from err


def _failures() -> tuple[type[Exception], ...]:
    """What models raise about records; LightGBM's error has no common base with the others."""
    usual = (ValueError, TypeError, LookupError, AttributeError, RuntimeError, AssertionError, ArithmeticError)
    lightgbm = sys.modules.get("lightgbm.basic")
    polars = sys.modules.get("polars.exceptions")
    extra = [getattr(lightgbm, "LightGBMError", None), getattr(polars, "PolarsError", None)]
    return (*usual, *(error for error in extra if error is not None))


class SklearnScores(ScoreTarget):
    """A classifier asked through ``predict_proba``."""

    def __init__(self, model: Any, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._model = model

    @property
    def internals(self) -> Any:
        """The model itself."""
        return self._model

    def _predict_proba(self, records: Records) -> Floats:
        answers = np.asarray(answer_of(self._model.predict_proba, records), dtype=np.float64)
        silent = (answers == 0).all(axis=1) if answers.ndim == 2 else np.zeros(0, dtype=bool)
        if silent.any():  # one-vs-rest where every part says no; neighbors where there are none
            answers = answers.copy()
            answers[silent] = 1 / answers.shape[1]
            if NO_ANSWER not in self.notes:
                self.notes.append(NO_ANSWER)
        return answers


class SklearnMargins(ScoreTarget):
    """A classifier without probabilities, asked through ``decision_function``; margins are squashed to 0 … 1."""

    def __init__(self, model: Any, classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._model = model
        self.notes.append("The model gives margins (decision_function); they were squashed to probabilities.")

    @property
    def internals(self) -> Any:
        """The model itself."""
        return self._model

    def _predict_proba(self, records: Records) -> Floats:
        from scipy.special import expit, softmax

        margin = np.asarray(answer_of(self._model.decision_function, records), dtype=np.float64)
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
        """The model itself."""
        return self._model

    def _predict(self, records: Records) -> Indices:
        return self.positions(np.asarray(answer_of(self._model.predict, records)).ravel())


class SklearnValues(RegressionTarget):
    """A regressor asked through ``predict``."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    @property
    def internals(self) -> Any:
        """The model itself."""
        return self._model

    def _predict_value(self, records: Records) -> Floats:
        return np.asarray(answer_of(self._model.predict, records), dtype=np.float64)


def from_sklearn(model: Any) -> LabelTarget | RegressionTarget:
    """Target for a fitted estimator: the most telling interface that it has.

    Raises:
      TargetError: The estimator is not fitted, or predicts several outputs at once.
    """
    if isinstance(model, type) or not _answers(model, "predict"):
        raise TargetError(f"expected a fitted model with predict or predict_proba, got {_name(model)}")
    if not _is_fitted(model):
        raise TargetError(f"expected a fitted model, got {_name(model)} before fit: fit it first")
    if _is_regressor(model):
        _refuse_several(getattr(model, "n_outputs_", 1) > 1)
        return SklearnValues(model)
    classes = getattr(model, "classes_", None)
    if classes is None:
        raise TargetError(f"expected a classifier or a regressor, got {_name(model)}, which has no classes")
    several = isinstance(classes, list) and len(classes) > 0 and np.ndim(classes[0]) > 0
    _refuse_several(several or getattr(model, "multilabel_", False) is True)
    classes = np.asarray(classes)
    if _answers(model, "predict_proba"):
        return SklearnScores(model, classes)
    if _answers(model, "decision_function") and not _pairwise(model):
        return SklearnMargins(model, classes)
    return SklearnLabels(model, classes)


def _name(model: Any) -> str:
    return f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__


def _refuse_several(several: bool) -> None:
    if several:
        raise TargetError("expected a model with one output, got one that predicts several: audit each output alone")


def _is_fitted(model: Any) -> bool:
    """As the model itself says it; a model that says nothing is fitted if it has attributes that fitting sets."""
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    except (TypeError, AttributeError):  # no scikit-learn estimator, but something that behaves like one
        return True
    return True


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
