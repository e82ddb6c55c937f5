"""Recipes: what decides the model is in the key, the seed decides the rest, and what cannot be repeated is refused."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum.errors import ConfigError, TargetError
from keepmum.targets import from_sklearn
from keepmum.training import FunctionTrainer, SklearnTrainer, as_trainer

DATA = zoo.people(120, 0)


def tree(**kwargs: Any) -> SklearnTrainer:
    return SklearnTrainer(DecisionTreeClassifier(**{"splitter": "random", **kwargs}))


def test_the_seed_decides_the_model() -> None:
    first, again, other = (tree().train(DATA, seed).predict_proba(DATA) for seed in (1, 1, 2))
    ask = zoo.people(300, 5)
    answers = [tree(max_depth=3).train(DATA, seed).predict_proba(ask) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(answers[0], answers[1])
    assert (answers[0] != answers[2]).any()
    assert other.shape == first.shape


def test_every_nested_seed_is_set_and_differs() -> None:
    nested = make_pipeline(StandardScaler(), BaggingClassifier(DecisionTreeClassifier(random_state=5), random_state=5))
    model = SklearnTrainer(nested).train(DATA, 3).internals
    seeds = {name: value for name, value in model.get_params().items() if name.endswith("random_state")}
    assert len(seeds) == 2
    assert len(set(seeds.values())) == 2
    assert 5 not in seeds.values()


def test_the_estimator_is_left_alone() -> None:
    fitted = RandomForestClassifier(3, random_state=4, n_jobs=2).fit(DATA.X, DATA.y)
    before = fitted.predict_proba(DATA.X)
    made = SklearnTrainer(fitted).train(DATA, 0).internals
    np.testing.assert_array_equal(fitted.predict_proba(DATA.X), before)
    assert fitted.random_state == 4
    assert made.n_jobs == 1


def test_a_fleet_is_the_plain_loop() -> None:
    mask = np.random.default_rng(0).random((3, len(DATA))) < 0.5
    fleet = [model.predict_proba(DATA) for model in tree().train_fleet(DATA, mask, [4, 5, 6])]
    loop = [tree().train(DATA.take(row), seed).predict_proba(DATA) for row, seed in zip(mask, (4, 5, 6), strict=True)]
    np.testing.assert_array_equal(fleet, loop)


def double(x: Any) -> Any:
    return 2 * x


@pytest.mark.parametrize(
    "other",
    [
        DecisionTreeClassifier(max_depth=4),
        DecisionTreeClassifier(class_weight={0: 2.0}),
        DecisionTreeClassifier(class_weight={0: 3.0}),
        RandomForestClassifier(),
        make_pipeline(StandardScaler(), DecisionTreeClassifier()),
        make_pipeline(StandardScaler(with_mean=False), DecisionTreeClassifier()),
        make_pipeline(FunctionTransformer(double), DecisionTreeClassifier()),
        make_pipeline(FunctionTransformer(lambda x: 2 * x), DecisionTreeClassifier()),
        make_pipeline(FunctionTransformer(lambda x: 3 * x), DecisionTreeClassifier()),
        BaggingClassifier(DecisionTreeClassifier(max_depth=2)),
    ],
)
def test_another_recipe_has_another_key(other: Any) -> None:
    keys = {SklearnTrainer(DecisionTreeClassifier()).key, SklearnTrainer(other).key}
    assert len(keys) == 2


def test_functions_that_differ_in_a_constant_have_different_keys() -> None:
    def pipeline(factor: float) -> SklearnTrainer:
        return SklearnTrainer(make_pipeline(FunctionTransformer(lambda x: factor * x), DecisionTreeClassifier()))

    assert pipeline(2.0).key == pipeline(2.0).key != pipeline(3.0).key


def test_seed_and_threads_of_the_estimator_do_not_change_the_key() -> None:
    keys = {SklearnTrainer(RandomForestClassifier(random_state=s, n_jobs=j)).key for s in (None, 1) for j in (None, 2)}
    assert len(keys) == 1


def test_the_key_is_the_same_in_another_process() -> None:
    code = (
        "from sklearn.tree import DecisionTreeClassifier as T; from keepmum.training import SklearnTrainer;"
        "print(SklearnTrainer(T(class_weight={1: 2.0, 0: 1.0})).key)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == SklearnTrainer(DecisionTreeClassifier(class_weight={0: 1.0, 1: 2.0})).key


class Uncloneable(BaseEstimator):
    def __init__(self, depth: Any = None) -> None:
        self.depth = [depth]

    def fit(self, X: Any, y: Any) -> Uncloneable:
        return self


def test_refuses_what_cannot_be_trained_again() -> None:
    from sklearn.frozen import FrozenEstimator

    with pytest.raises(ConfigError, match="clone"):
        SklearnTrainer(Uncloneable(3))
    fitted = LogisticRegression().fit(DATA.X, DATA.y)
    with pytest.raises(ConfigError, match="frozen"):
        SklearnTrainer(CalibratedClassifierCV(FrozenEstimator(fitted)))


def test_says_in_one_line_what_went_wrong() -> None:
    broken = zoo.Records(np.full((4, 2), np.inf), np.array([0, 1, 0, 1]))
    with pytest.raises(TargetError, match="LogisticRegression could not be trained") as caught:
        SklearnTrainer(LogisticRegression()).train(broken, 0)
    assert "\n" not in str(caught.value)
    with pytest.raises(TargetError, match="label-only"):
        SklearnTrainer(Predicts()).train(DATA, 0)


class Predicts(BaseEstimator):
    def fit(self, X: Any, y: Any) -> Predicts:
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def test_margins_are_scores_too() -> None:
    assert SklearnTrainer(LinearSVC()).train(DATA, 0).predict_proba(DATA).shape == (len(DATA), 3)


def test_a_function_is_a_recipe_under_a_name() -> None:
    trainer = FunctionTrainer(lambda records, seed: DecisionTreeClassifier().fit(records.X, records.y), "tree v1")
    assert trainer.train(DATA, 0).predict_proba(DATA).shape == (len(DATA), 3)
    assert "tree v1" in trainer.key
    with pytest.raises(ConfigError, match="name"):
        FunctionTrainer(lambda records, seed: None, " ")


def test_a_function_that_fails_is_a_target_error() -> None:
    def fail(records: Any, seed: int) -> None:
        raise RuntimeError("out of luck")

    with pytest.raises(TargetError, match="out of luck"):
        FunctionTrainer(fail, "unlucky").train(DATA, 0)
    with pytest.raises(TargetError, match="label-only"):
        FunctionTrainer(lambda records, seed: zoo.LookupLabels(records), "labels").train(DATA, 0)


def test_whatever_can_train_is_taken() -> None:
    trainer = tree()
    assert as_trainer(trainer) is trainer
    assert isinstance(as_trainer(DecisionTreeClassifier()), SklearnTrainer)
    for wrong in (lambda records, seed: None, DecisionTreeClassifier, from_sklearn, 3):
        with pytest.raises(ConfigError, match="expected a trainer"):
            as_trainer(wrong)


def test_a_plain_object_is_told_by_its_attributes():
    from sklearn.compose import make_column_selector

    from keepmum.training._canonical import canonical

    first, same = make_column_selector(dtype_include="number"), make_column_selector(dtype_include="number")
    assert canonical(first) == canonical(same)
    assert canonical(first) != canonical(make_column_selector(dtype_exclude="number"))
    with pytest.raises(ConfigError, match="told apart"):
        canonical(iter([]))
