"""XGBoost and LightGBM models in their own text formats."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets._base import Floats, RegressionTarget, ScoreTarget
from keepmum.targets._native import check_lightgbm, check_xgboost
from keepmum.targets.sklearn import answer_of

_XGBOOST_BINARY = ("binary:logistic", "binary:logitraw", "binary:hinge")
_XGBOOST_MULTI = ("multi:softprob", "multi:softmax")
_XGBOOST_VALUES = ("reg:", "count:", "survival:")
_LIGHTGBM_MULTI = ("multiclass", "multiclassova")
_LIGHTGBM_VALUES = ("regression", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie", "cross_entropy")


class BoosterScores(ScoreTarget):
    """A booster that answers with probabilities.

    Args:
      booster: The model itself, as `internals`.
      ask: ``X -> (n,)`` probabilities of the second class, or ``(n, K)``.
      classes: ``(K,)`` labels.
    """

    def __init__(self, booster: Any, ask: Callable[[Any], Any], classes: NDArray[Any]) -> None:
        super().__init__(classes)
        self._booster, self._ask = booster, ask

    @property
    def internals(self) -> Any:
        """The model itself."""
        return self._booster

    def _predict_proba(self, records: Records) -> Floats:
        return np.asarray(answer_of(self._ask, records), dtype=np.float64)


class BoosterValues(RegressionTarget):
    """A booster that answers with numbers."""

    def __init__(self, booster: Any, ask: Callable[[Any], Any]) -> None:
        super().__init__()
        self._booster, self._ask = booster, ask

    @property
    def internals(self) -> Any:
        """The model itself."""
        return self._booster

    def _predict_value(self, records: Records) -> Floats:
        return np.asarray(answer_of(self._ask, records), dtype=np.float64)


def labels_of(classes: Any, count: int) -> NDArray[Any]:
    """The given labels, or 0 … K-1.

    Raises:
      TargetError: As many labels as classes were expected.
    """
    if classes is None:
        return np.arange(count)
    if len(classes) != count:
        raise TargetError(f"expected labels for the {count} classes of the model, got {len(classes)}")
    return np.asarray(classes)


def load_xgboost(path: Path, classes: Any = None) -> ScoreTarget | RegressionTarget:
    """Target for an XGBoost model saved with ``save_model`` (``.json`` or ``.ubj``).

    Raises:
      UnsafeFileError: The file is damaged or crafted.
      TargetError: An objective without probabilities or values.
    """
    try:
        import xgboost
    except ImportError as err:
        raise MissingExtraError("xgboost", "xgboost") from err

    content = path.read_bytes()
    if content.lstrip()[:2] in (b'{"', b"{ ", b"{\n") or b'"learner"' in content[:256]:
        try:
            check_xgboost(json.loads(content))
        except ValueError as err:
            raise UnsafeFileError(f"{path.name} is damaged JSON ({err}): copy it again, or save it again") from err
    booster = xgboost.Booster()
    try:
        booster.load_model(bytearray(content))
    except (xgboost.core.XGBoostError, ValueError) as err:
        last = (str(err).strip().splitlines() or [""])[-1][:200]
        raise UnsafeFileError(f"{path.name} is no whole XGBoost model ({last}): save it again") from err
    check_xgboost(json.loads(bytes(booster.save_raw("json"))))
    return _xgboost_target(xgboost, booster, classes)


def _xgboost_target(xgboost: Any, booster: Any, classes: Any) -> ScoreTarget | RegressionTarget:
    learner = json.loads(booster.save_config())["learner"]
    objective = str(learner["objective"]["name"])

    def ask(margin: bool) -> Callable[[Any], Any]:
        return lambda X: booster.predict(_matrix(xgboost, booster, X), output_margin=margin)

    if objective in _XGBOOST_BINARY:
        labels = labels_of(classes, 2)
        if objective == "binary:logitraw":
            return BoosterScores(booster, lambda X: _expit(ask(True)(X)), labels)
        return BoosterScores(booster, ask(False), labels)
    if objective in _XGBOOST_MULTI:
        count = int(learner["learner_model_param"]["num_class"])
        return BoosterScores(booster, lambda X: _softmax(ask(True)(X)), labels_of(classes, count))
    if objective.startswith(_XGBOOST_VALUES):
        return BoosterValues(booster, ask(False))
    raise TargetError(f"expected an XGBoost model that classifies or regresses, got the objective {objective}")


def _matrix(xgboost: Any, booster: Any, X: Any) -> Any:
    """XGBoost's own matrix; an array is taken to have the model's columns in the model's order."""
    if hasattr(X, "columns"):
        return xgboost.DMatrix(X, enable_categorical=True)
    return xgboost.DMatrix(X, feature_names=booster.feature_names, feature_types=booster.feature_types)


def _expit(margin: Any) -> Any:
    from scipy.special import expit

    return expit(np.asarray(margin, dtype=np.float64))


def _softmax(margin: Any) -> Any:
    from scipy.special import softmax

    return softmax(np.asarray(margin, dtype=np.float64), axis=1)


def load_lightgbm(path: Path, classes: Any = None) -> ScoreTarget | RegressionTarget:
    """Target for a LightGBM model saved with ``save_model`` (text).

    Raises:
      UnsafeFileError: The file is damaged or crafted.
      TargetError: An objective without probabilities or values.
    """
    try:
        import lightgbm
    except ImportError as err:
        raise MissingExtraError("lightgbm", "lightgbm") from err

    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise UnsafeFileError(f"{path.name} is no LightGBM text model: save it again with save_model") from err
    if "\nend of trees" not in text:
        raise UnsafeFileError(f"{path.name} is a cut-off LightGBM model: copy it again, or save it again")
    check_lightgbm(text)
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as err:
        raise UnsafeFileError(f"{path.name} is no whole LightGBM model ({err}): save it again") from err
    objective = next((line[10:] for line in text.splitlines() if line.startswith("objective=")), "")
    kind = objective.split(" ")[0]
    if kind == "binary":
        return BoosterScores(booster, booster.predict, labels_of(classes, 2))
    if kind in _LIGHTGBM_MULTI:
        count = int(booster.num_model_per_iteration())
        return BoosterScores(booster, _rows_to_one(booster.predict, kind), labels_of(classes, count))
    if kind.startswith(_LIGHTGBM_VALUES):
        return BoosterValues(booster, booster.predict)
    raise TargetError(f"expected a LightGBM model that classifies or regresses, got the objective {kind or 'none'}")


def _rows_to_one(ask: Callable[[Any], Any], kind: str) -> Callable[[Any], Any]:
    """One-versus-all answers sum to anything; LightGBM's own classifier gives them as they are, we to a sum of 1."""
    if kind != "multiclassova":
        return ask

    def normalized(X: Any) -> Any:
        answers = np.asarray(ask(X), dtype=np.float64)
        return answers / np.maximum(answers.sum(axis=1, keepdims=True), np.finfo(float).tiny)

    return normalized
