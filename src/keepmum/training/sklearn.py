"""Any scikit-learn estimator is its own recipe."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keepmum.data import Records
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._base import ScoreTarget
from keepmum.training._base import Trainer
from keepmum.training._canonical import canonical


@dataclass(frozen=True)
class SklearnTrainer(Trainer):
    """Trains unfitted copies of an estimator or pipeline, also of XGBoost and LightGBM.

    Every ``random_state`` in it is set from the seed, and every ``n_jobs`` to 1, as many models are trained at once.

    Attributes:
      estimator: The estimator, fitted or not; it is copied and never changed.
    """

    estimator: Any

    def __post_init__(self) -> None:
        frozen = [v for v in _parameters(self.estimator).values() if type(v).__name__ == "FrozenEstimator"]
        if frozen or type(self.estimator).__name__ == "FrozenEstimator":
            raise ConfigError("expected an estimator that can be trained again, got one with a frozen part")
        _clone(self.estimator)

    @cached_property
    def key(self) -> str:
        """Class, parameters and the versions of the libraries that train."""
        from importlib.metadata import PackageNotFoundError, version

        import sklearn

        recipe = _settled(self.estimator, None)
        parts = [self.estimator, *(v for v in _parameters(self.estimator).values() if hasattr(v, "fit"))]
        packages = {type(part).__module__.split(".")[0] for part in parts} - {"sklearn", "__main__"}
        versions = [f"sklearn {sklearn.__version__}", f"numpy {np.__version__}"]
        for name in sorted(packages):
            try:
                versions.append(f"{name} {version(name)}")
            except PackageNotFoundError:
                versions.append(name)
        return f"{canonical(recipe)} with {', '.join(versions)}"

    @property
    def fleet_size(self) -> int:
        """Eight where models are trained together."""
        from keepmum.training._mlp import FLEET

        return 2 if self._why_alone() else FLEET

    @property
    def fleet_note(self) -> str:
        """How a fleet is trained, and why."""
        reason = self._why_alone()
        return f"one after another: {reason}" if reason else "together, in groups of 8 networks"

    def _why_alone(self) -> str:
        from keepmum.training._sklearn_fleet import why_alone

        return why_alone(self.estimator)

    def train_fleet(
        self, records: Records, trained_on: NDArray[np.bool_], seeds: Sequence[int]
    ) -> Iterator[ScoreTarget]:
        """Train several models: neural networks together, others one after another.

        Raises:
          TargetError: See `train`.
        """
        if self._why_alone():
            yield from super().train_fleet(records, trained_on, seeds)
            return
        from keepmum.targets.sklearn import from_sklearn
        from keepmum.training._mlp import FLEET
        from keepmum.training._sklearn_fleet import together

        for start in range(0, len(seeds), FLEET):
            some, masks = seeds[start : start + FLEET], trained_on[start : start + FLEET]
            models = together([_settled(self.estimator, seed) for seed in some], records, masks)
            for model, mask, seed in zip(models, masks, some, strict=True):
                target = self.train(records.take(mask), seed) if model is None else from_sklearn(model)
                assert isinstance(target, ScoreTarget)
                yield target

    def train(self, records: Records, seed: int) -> ScoreTarget:
        """Fit a copy on the records, on one thread.

        Raises:
          TargetError: The estimator cannot be fitted on these records, or tells no probabilities.
        """
        import joblib
        from threadpoolctl import threadpool_limits

        from keepmum.targets.sklearn import from_sklearn

        model = _settled(self.estimator, seed)
        with threadpool_limits(1), joblib.parallel_config(n_jobs=1), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the recipe warns of, it warned of when the target was trained
            try:
                model.fit(records.X, records.y)
            except Exception as err:
                first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
                raise TargetError(
                    f"{type(model).__name__} could not be trained on {len(records)} of the audited records "
                    f"({type(err).__name__}: {first})"
                ) from err
        target = from_sklearn(model)
        if not isinstance(target, ScoreTarget):
            raise TargetError(f"expected a classifier with probabilities, got {target.access} access")
        return target


def _parameters(estimator: Any) -> dict[str, Any]:
    return dict(estimator.get_params(deep=True)) if hasattr(estimator, "get_params") else {}


def _clone(estimator: Any) -> Any:
    from sklearn.base import clone

    try:
        return clone(estimator)
    except (TypeError, RuntimeError) as err:
        raise ConfigError(
            f"expected an estimator that scikit-learn can clone, got {type(estimator).__name__} "
            f"({str(err).strip().splitlines()[0][:200]}): wrap its training in keepmum.training.FunctionTrainer"
        ) from err


def _settled(estimator: Any, seed: int | None) -> Any:
    """An unfitted copy with its seeds set (None takes them out) and one thread."""
    copy = _clone(estimator)
    names = sorted(_parameters(copy))
    seeded = [name for name in names if name.split("__")[-1] == "random_state"]
    values: list[int | None] = [None] * len(seeded)
    if seed is not None:  # LightGBM takes 31 bits
        values = [int(v) % 2**31 for v in np.random.SeedSequence(seed).generate_state(len(seeded))]
    threads = dict.fromkeys((n for n in names if n.split("__")[-1] == "n_jobs"), 1)
    return copy.set_params(**dict(zip(seeded, values, strict=True)), **threads)
