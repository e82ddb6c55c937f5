"""Which scikit-learn models are trained together, and why the others are not."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.training import _mlp


def why_alone(estimator: Any) -> str:
    """Why models of a recipe are trained one after another, or nothing.

    Logistic regressions are, by measurement. At its default tolerance scikit-learn stops short of the optimum, each fit
    at its own place: by up to 0.1 in probability on digits (64 columns), 0.02 on the breast cancer data. A solver that
    takes all of them to the optimum together would train other models than the recipe does, and from about 200 columns
    on it was no faster than scikit-learn's either.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if type(last) is LogisticRegression:
        return "logistic regressions stop short of their optimum, each at its own place"
    if type(last) is not MLPClassifier:
        return "models of this kind are not trained together"
    if getattr(estimator, "memory", None) is not None:
        return "the pipeline keeps its steps in a cache"
    return _mlp.why_alone(last)


def together(models: Sequence[Any], records: Records, trained_on: NDArray[np.bool_]) -> list[Any | None]:
    """Fit networks, each on its own records; the steps before them are fitted one after another.

    Returns:
      The models in order, None for those that have to be trained alone: what stands in their way is told there.
    """
    import joblib
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), joblib.parallel_config(n_jobs=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the recipe warns of, it warned of when the target was trained
        prepared = [_prepared(model, records.take(mask)) for model, mask in zip(models, trained_on, strict=True)]
        with np.errstate(all="ignore"):
            _mlp.train([one for one in prepared if one is not None])
    return [
        model if one is not None and _is_whole(one.model) else None for model, one in zip(models, prepared, strict=True)
    ]


def _prepared(model: Any, records: Records) -> _mlp.Ready | None:
    try:
        if not hasattr(model, "steps"):
            return _mlp.ready(model, records.X, records.y)
        X = records.X if len(model.steps) == 1 else model[:-1].fit_transform(records.X, records.y)
        return _mlp.ready(model.steps[-1][1], X, records.y)
    except Exception:  # whatever it is, training alone meets it again and tells it
        return None


def _is_whole(network: Any) -> bool:
    return all(bool(np.isfinite(part).all()) for part in (*network.coefs_, *network.intercepts_))
