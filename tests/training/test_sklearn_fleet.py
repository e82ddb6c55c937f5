"""Networks trained together are those that scikit-learn trains alone."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from keepmum.data import Records
from keepmum.errors import TargetError
from keepmum.shadows import ShadowStore, balanced_pairs
from keepmum.training import SklearnTrainer, _mlp, _sklearn_fleet

SMALL = {"hidden_layer_sizes": (7,), "max_iter": 12, "batch_size": 16}


def people(n=81, columns=5, classes=3, dtype=np.float64):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, columns)).astype(dtype)
    return Records(X, np.digitize(X[:, 0] + rng.normal(size=n), np.linspace(-1, 1, classes - 1)), np.arange(n))


def fleet(trainer, records, models=6, seed=0):
    pairs = list(balanced_pairs(len(records), models // 2, seed))
    masks, seeds = np.concatenate([mask for mask, _ in pairs]), [s for _, both in pairs for s in both]
    together = list(trainer.train_fleet(records, masks, seeds))
    alone = [trainer.train(records.take(mask), seed) for mask, seed in zip(masks, seeds, strict=True)]
    return together, alone


def network(target):
    model = target.internals
    return model.steps[-1][1] if hasattr(model, "steps") else model


RECIPES = {
    "adam": {},
    "two layers": {"hidden_layer_sizes": (6, 4)},
    "one width": {"hidden_layer_sizes": 6},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "tanh": {"activation": "tanh"},
    "logistic": {"activation": "logistic"},
    "identity": {"activation": "identity"},
    "no decay": {"alpha": 0.0},
    "strong decay": {"alpha": 3.0},
    "other moments": {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3, "learning_rate_init": 0.03},
    "in order": {"shuffle": False},
    "auto batch": {"batch_size": "auto"},
    "large batch": {"batch_size": 500},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "sgd without Nesterov": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "sgd without momentum": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.05},
    "inverse scaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "tol": 0.05,
        "n_iter_no_change": 1,
        "max_iter": 80,
    },
    "stops": {"tol": 0.02, "n_iter_no_change": 2, "max_iter": 100, "learning_rate_init": 0.02},
}


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize(("classes", "dtype"), [(2, np.float64), (3, np.float32)])
@pytest.mark.filterwarnings("ignore")
def test_each_network_is_the_one_that_scikit_learn_trains(name, classes, dtype):
    records = people(classes=classes, dtype=dtype)
    together, alone = fleet(SklearnTrainer(MLPClassifier(**{**SMALL, **RECIPES[name]})), records)
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours.predict_proba(records), theirs.predict_proba(records), atol=1e-6)
        mine, real = network(ours), network(theirs)
        assert mine.n_iter_ == real.n_iter_
        np.testing.assert_allclose(mine.loss_curve_, real.loss_curve_, rtol=1e-5)
        assert mine.loss_ == pytest.approx(real.loss_, rel=1e-5)
        assert {part.dtype for part in mine.coefs_} == {np.dtype(dtype)}
        np.testing.assert_array_equal(mine.classes_, real.classes_)


@pytest.mark.filterwarnings("ignore")
def test_models_that_stop_leave_at_their_own_time():
    together, _ = fleet(SklearnTrainer(MLPClassifier(**{**SMALL, **RECIPES["stops"]})), people(), models=8)
    assert len({network(target).n_iter_ for target in together}) > 2


@pytest.mark.parametrize("recipe", ["adam", "stops", "adaptive"])
@pytest.mark.filterwarnings("ignore")
def test_whoever_is_trained_with_it_a_model_is_the_same_bit_for_bit(recipe):
    records = people(80)
    trainer = SklearnTrainer(MLPClassifier(**{**SMALL, **RECIPES[recipe]}))
    pairs = list(balanced_pairs(80, 6, 0))
    masks, seeds = np.concatenate([mask for mask, _ in pairs]), [s for _, both in pairs for s in both]
    whole = [network(t) for t in trainer.train_fleet(records, masks, seeds)]
    for some in ([0], [3, 1], [5, 4, 3, 2, 1, 0, 11]):
        part = [network(t) for t in trainer.train_fleet(records, masks[some], [seeds[i] for i in some])]
        for place, model in zip(some, part, strict=True):
            for a, b in zip(
                model.coefs_ + model.intercepts_, whole[place].coefs_ + whole[place].intercepts_, strict=True
            ):
                np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore")
def test_steps_before_the_network_are_fitted_on_its_own_half():
    frame = pd.DataFrame(people().X, columns=list("abcde"))
    frame["f"] = np.where(frame["a"] > 0, "up", "down")
    records = Records(frame, people().y, np.arange(81))
    encoder = make_column_transformer((StandardScaler(), list("abcde")), (OneHotEncoder(), ["f"]), sparse_threshold=0)
    pipeline = make_pipeline(encoder, PCA(4, svd_solver="randomized"), MLPClassifier(**SMALL))
    together, alone = fleet(SklearnTrainer(pipeline), records)
    means = set()
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours.predict_proba(records), theirs.predict_proba(records), atol=1e-6)
        means.add(ours.internals.steps[1][1].mean_.tobytes())
    assert len(means) == len(together)
    single = Pipeline([("net", MLPClassifier(**SMALL))])
    together, alone = fleet(SklearnTrainer(single), people())
    np.testing.assert_allclose(together[0].predict_proba(people()), alone[0].predict_proba(people()), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_a_half_without_a_class_knows_fewer():
    records = people(60)
    y = np.where(np.arange(60) == 0, 7, records.y)
    together, alone = fleet(SklearnTrainer(MLPClassifier(**SMALL)), Records(records.X, y, np.arange(60)), models=4)
    assert [len(target.classes) for target in together] == [len(target.classes) for target in alone]
    assert len({len(target.classes) for target in together}) == 2
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours.predict_proba(people(60)), theirs.predict_proba(people(60)), atol=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_labels_may_be_text_and_records_sparse():
    records = people()
    named = Records(records.X, np.array(["no", "some", "much"])[records.y], records.ids)
    together, alone = fleet(SklearnTrainer(MLPClassifier(**SMALL)), named, models=2)
    np.testing.assert_array_equal(together[0].classes, alone[0].classes)
    thin = Records(sparse.csr_matrix(records.X), records.y, records.ids)
    together, alone = fleet(SklearnTrainer(MLPClassifier(**SMALL)), thin, models=2)
    np.testing.assert_array_equal(together[1].predict_proba(thin), alone[1].predict_proba(thin))


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (MLPClassifier(), ""),
        (make_pipeline(StandardScaler(), MLPClassifier()), ""),
        (MLPClassifier(solver="lbfgs"), "lbfgs"),
        (MLPClassifier(early_stopping=True), "early stopping"),
        (MLPClassifier(warm_start=True), "warm start"),
        (MLPClassifier(hidden_layer_sizes=(300, 300)), "50,000 weights"),
        (Pipeline([("net", MLPClassifier())], memory="folder"), "cache"),
        (DecisionTreeClassifier(), "models of this kind"),
        (LogisticRegression(), "logistic regressions"),
    ],
)
def test_the_plan_tells_who_is_trained_alone_and_why(estimator, reason):
    trainer = SklearnTrainer(estimator)
    assert reason in _sklearn_fleet.why_alone(estimator)
    assert trainer.fleet_size == (2 if reason else _mlp.FLEET)
    assert trainer.fleet_note.startswith("one after another" if reason else "together")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrong", [{"hidden_layer_sizes": (-3,)}, {"alpha": -1.0}, {"learning_rate_init": 1e200}])
def test_what_cannot_be_trained_is_the_error_of_training_alone(wrong):
    trainer, records = SklearnTrainer(MLPClassifier(**{**SMALL, **wrong, "activation": "identity"})), people()
    with pytest.raises(TargetError, match="could not be trained"):
        list(trainer.train_fleet(records, np.ones((2, 81), dtype=bool), [0, 1]))


def test_large_networks_are_trained_alone(monkeypatch):
    monkeypatch.setattr(_mlp, "_train", None)
    monkeypatch.setattr(_mlp, "LARGEST", 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together, alone = fleet(SklearnTrainer(MLPClassifier(**SMALL)), people(), models=2)
    np.testing.assert_array_equal(together[0].predict_proba(people()), alone[0].predict_proba(people()))


def test_the_store_keeps_the_same_signals_for_a_fleet_and_one_by_one(monkeypatch):
    trainer, records = SklearnTrainer(MLPClassifier(**SMALL)), people(80)
    whole = ShadowStore().collect(trainer, records, 8, seed=0)
    part = ShadowStore().collect(trainer, records, 2, seed=0)
    np.testing.assert_array_equal(whole.signals[0], part.signals[0])
    monkeypatch.setattr(_sklearn_fleet, "why_alone", lambda estimator: "asked for")
    alone = ShadowStore().collect(trainer, records, 8, seed=0)
    np.testing.assert_allclose(np.stack(whole.signals), np.stack(alone.signals), atol=1e-4)
