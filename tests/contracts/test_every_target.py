"""What every target must do: found by discovery, so a new one without a builder here fails.

Targets of language models are held to a contract of their own, in `test_every_text_target`.
"""

from __future__ import annotations

import importlib
import pickle
import pkgutil
from dataclasses import replace

import numpy as np
import pytest

from keepmum import targets
from keepmum.data import Records
from keepmum.targets import LabelTarget, RegressionTarget, ScoreTarget, Target
from keepmum.targets.handshake import Disbelieved
from keepmum.targets.text import FillTarget, TextTarget

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)).astype(np.float32)
Y = np.digitize(X[:, 0], [-0.5, 0.5])
RECORDS = Records(X, Y, np.arange(60))

pytestmark = pytest.mark.filterwarnings("ignore")  # exporters warn about what they themselves call


def _classifier():
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(X, Y)


def _regressor():
    from sklearn.linear_model import LinearRegression

    return LinearRegression().fit(X, Y)


def _onnx(model, folder, **options):
    from keepmum.targets.onnx import load_onnx

    skl2onnx = pytest.importorskip("skl2onnx")
    path = folder / "model.onnx"
    path.write_bytes(skl2onnx.to_onnx(model, X[:1], target_opset=17, **options).SerializeToString())
    return load_onnx(path, None)


def _onnx_labels(folder):
    from keepmum.targets.onnx import load_onnx

    onnx, skl2onnx = pytest.importorskip("onnx"), pytest.importorskip("skl2onnx")
    graph = skl2onnx.to_onnx(_classifier(), X[:1], target_opset=17)
    del graph.graph.output[1:]
    path = folder / "labels.onnx"
    path.write_bytes(graph.SerializeToString())
    assert onnx
    return load_onnx(path, None)


def _booster(objective, folder):
    from keepmum.targets.boosters import load_xgboost

    xgboost = pytest.importorskip("xgboost")
    kind = xgboost.XGBClassifier if objective == "classes" else xgboost.XGBRegressor
    path = folder / "model.json"
    kind(n_estimators=3).fit(X, Y).save_model(path)
    return load_xgboost(path, None)


def _pickled(model, folder):
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return targets.load(path, allow_pickle=True)


def _labels_only():
    from sklearn.svm import SVC

    return SVC(decision_function_shape="ovo").fit(X, Y)


BUILDERS = {
    "AveragedLabels": lambda folder: _averaged(_labels_only()),
    "AveragedScores": lambda folder: _averaged(_classifier()),
    "AveragedValues": lambda folder: _averaged(_regressor()),
    "BoosterScores": lambda folder: _booster("classes", folder),
    "BoosterValues": lambda folder: _booster("values", folder),
    "FunctionScores": lambda folder: targets.FunctionScores(_classifier().predict_proba, np.arange(3)),
    "OnnxLabels": _onnx_labels,
    "OnnxScores": lambda folder: _onnx(_classifier(), folder),
    "OnnxValues": lambda folder: _onnx(_regressor(), folder),
    "PickledLabels": lambda folder: _pickled(_labels_only(), folder),
    "PickledScores": lambda folder: _pickled(_classifier(), folder),
    "PickledValues": lambda folder: _pickled(_regressor(), folder),
    "RecordedScores": lambda folder: targets.RecordedScores(_classifier().predict_proba(X), np.arange(3)),
    "RememberedGradients": lambda folder: _remembered_module(),
    "RememberedLabels": lambda folder: _remembered(_labels_only()),
    "RememberedScores": lambda folder: _remembered(_classifier()),
    "RememberedValues": lambda folder: _remembered(_regressor()),
    "SklearnLabels": lambda folder: targets.from_sklearn(_labels_only()),
    "SklearnMargins": lambda folder: targets.from_sklearn(_svm()),
    "SklearnScores": lambda folder: targets.from_sklearn(_classifier()),
    "SklearnValues": lambda folder: targets.from_sklearn(_regressor()),
    "TorchTarget": lambda folder: _module(),
}
SLOW = {"PickledLabels", "PickledScores", "PickledValues"}


def _svm():
    from sklearn.svm import LinearSVC

    return LinearSVC().fit(X, Y)


def _averaged(model):
    from keepmum.targets.averaged import averaged

    return averaged(targets.from_sklearn(model), 3)


def _module():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    return targets.TorchTarget(module, np.arange(3))


def _remembered_module():
    from keepmum.targets._remembered import remembered

    return remembered(_module())


def _remembered(model):
    from keepmum.targets._remembered import remembered

    return remembered(targets.from_sklearn(model))


def _concrete(cls=Target):
    for below in cls.__subclasses__():
        if below in (TextTarget, FillTarget, Disbelieved):
            continue
        if below.__module__.startswith("keepmum.targets.") and not getattr(below, "__abstractmethods__", None):
            yield below.__name__
        yield from _concrete(below)


def ask(target, records):
    if isinstance(target, ScoreTarget):
        return target.predict_proba(records)
    return target.predict(records) if isinstance(target, LabelTarget) else target.predict_value(records)


def test_every_target_is_held_to_the_contract():
    for module in pkgutil.iter_modules(targets.__path__):
        importlib.import_module(f"keepmum.targets.{module.name}")
    assert set(_concrete()) == set(BUILDERS)


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in sorted(BUILDERS)])
def target(request, tmp_path):
    made = BUILDERS[request.param](tmp_path)
    assert type(made).__name__ == request.param
    return made


def test_answers_have_the_promised_shape_and_range(target):
    answer = ask(target, RECORDS)
    assert target.access in {"label-only", "scores", "gradients", "values"}
    if isinstance(target, ScoreTarget):
        assert answer.shape == (60, 3)
        assert answer.dtype == np.float64
        np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_array_equal(target.predict(RECORDS), answer.argmax(axis=1))
    elif isinstance(target, LabelTarget):
        assert set(answer.tolist()) <= set(range(len(target.classes)))
    else:
        assert isinstance(target, RegressionTarget)
        assert answer.shape == (60,)


def test_every_row_asked_about_is_counted(target):
    before = target.queries
    ask(target, RECORDS)
    ask(target, RECORDS.take(np.arange(7)))
    assert target.queries - before == 67 * getattr(target, "repeats", 1)


def test_who_else_is_asked_about_changes_nothing(target):
    whole = ask(target, RECORDS)
    order = np.random.default_rng(1).permutation(60)
    np.testing.assert_allclose(ask(target, RECORDS.take(order)), whole[order], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(ask(target, RECORDS.take(order[:1])), whole[order[:1]], rtol=1e-6, atol=1e-7)


def test_nobody_asked_about_is_an_empty_answer(target):
    nobody = RECORDS.take(np.arange(0))
    assert ask(target, nobody).shape == ((0, 3) if isinstance(target, ScoreTarget) else (0,))


def test_labels_are_found_by_value(target):
    if isinstance(target, LabelTarget):
        np.testing.assert_array_equal(target.positions(np.array([2.0, 0.0])), [2, 0])
        from keepmum.errors import DataError

        with pytest.raises(DataError, match="not seen in training"):
            target.positions(np.array([7]))


def test_records_without_ids_are_asked_about_unless_recorded(target):
    made_up = replace(RECORDS, ids=None)
    if isinstance(target, targets.RecordedScores):
        from keepmum.errors import TargetError

        with pytest.raises(TargetError, match="recorded"):
            ask(target, made_up)
    else:
        assert len(ask(target, made_up)) == 60
