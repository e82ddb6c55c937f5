"""Files of any kind, through the worker process."""

import ast
import builtins
import os
import pickle
import signal
import textwrap

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from crafted import change_array
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import SVC

from keepmum.data import Records
from keepmum.errors import TargetError, UnsafeFileError
from keepmum.targets import LabelTarget, Limits, RegressionTarget, load

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = np.where(X[:, 0] > 0, "yes", "no")


class Payload:
    """A pickle that calls a function when it is loaded."""

    def __init__(self, function, *args):
        self.call = (function, args)

    def __reduce__(self):
        return self.call


def run(code):
    return Payload(builtins.exec, textwrap.dedent(code))


def one_line(caught):
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_skops_file_end_to_end(tmp_path):
    model = RandomForestClassifier(5, random_state=0).fit(X, Y)
    skops.io.dump(model, tmp_path / "model.skops")
    target = load(tmp_path / "model.skops")
    np.testing.assert_array_equal(target.predict_proba(Records(X, Y)), model.predict_proba(X))
    assert type(target.internals) is RandomForestClassifier


def test_a_crafted_file_is_refused_by_the_worker(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(RandomForestClassifier(2, random_state=0).fit(X, Y), path)

    def far(nodes):
        nodes["left_child"][0] = 2**40

    with pytest.raises(UnsafeFileError, match="out of range"):
        load(change_array(path, "nodes", far))


def fake_loader(tmp_path, monkeypatch, code):
    """Let the worker's loader meet a file that makes it behave badly."""
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent(f"""
        import sys, importlib.abc, importlib.util

        class Finder(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name == "keepmum.targets._loaders":
                    return importlib.util.spec_from_file_location(name, {str(tmp_path / "bad_loader.py")!r})

        sys.meta_path.insert(0, Finder())
        """)
    )
    (tmp_path / "bad_loader.py").write_text(
        "def open_model(path, kind, classes=None):\n" + textwrap.indent(code, "    ")
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "model.skops"
    skops.io.dump(LogisticRegression().fit(X, Y), path)
    return path


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "os.kill|SIGSEGV"),
        ("import ctypes; ctypes.string_at(0)", "ended by SIGSEGV"),
        ("held = bytearray(1 << 40)", "MemoryError"),
        ("while True: pass", "did not answer within"),
        ("print('x' * 1_000_000, flush=True); import os; os._exit(7)", "ended with code 7|failed"),
        ("def deep(): deep()\ndeep()", "RecursionError"),
    ],
    ids=["signal", "segfault", "memory", "endless", "exit", "recursion"],
)
def test_a_file_that_breaks_its_loader_breaks_nothing_else(tmp_path, monkeypatch, code, message):
    path = fake_loader(tmp_path, monkeypatch, code)
    with pytest.raises(UnsafeFileError, match=message) as caught:
        load(path, limits=Limits(load_seconds=60 if "while" not in code else 6))
    assert one_line(caught).startswith("model.skops was tried in a worker process, which ")


def test_a_worker_without_end_is_stopped_by_its_cpu_limit(tmp_path, monkeypatch):
    path = fake_loader(tmp_path, monkeypatch, "while True: pass")
    with pytest.raises(UnsafeFileError, match=r"SIGXCPU|SIGKILL"):
        load(path, limits=Limits(cpu_seconds=1))


def test_a_refused_pickle_runs_nothing(tmp_path):
    mark = tmp_path / "ran"
    for name in ("model.pkl", "model.skops", "model.onnx", "model.json"):
        (tmp_path / name).write_bytes(pickle.dumps(Payload(os.system, f"touch {mark}")))
        with pytest.raises(UnsafeFileError, match="is a pickle"):
            load(tmp_path / name)
    joblib.dump(Payload(os.system, f"touch {mark}"), tmp_path / "model.joblib", compress=3)
    with pytest.raises(UnsafeFileError, match="is a pickle"):
        load(tmp_path / "model.joblib")
    assert not mark.exists()


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.system('touch MARK')",
        pytest.param("import subprocess; subprocess.run(['touch', 'MARK'])", marks=pytest.mark.slow),
        pytest.param("open('MARK', 'w').close()", marks=pytest.mark.slow),
        "import os; os.close(os.open('MARK', os.O_CREAT | os.O_WRONLY))",
        pytest.param("import os; os.mkdir('MARK')", marks=pytest.mark.slow),
        "import ctypes; ctypes.CDLL(None).system(b'touch MARK')",
    ],
)
def test_an_allowed_pickle_still_touches_nothing(tmp_path, code):
    mark = tmp_path / "ran"
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(run(code.replace("MARK", str(mark)))))
    with pytest.raises(TargetError, match="could not be loaded") as caught:
        load(path, allow_pickle=True)
    assert "PermissionError" in one_line(caught)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("held = bytearray(1 << 40)", "MemoryError"),
        ("while True: pass", "did not answer within"),
        pytest.param("import os; os._exit(3)", "ended with code 3", marks=pytest.mark.slow),
        pytest.param("import ctypes; ctypes.string_at(0)", "SIGSEGV", marks=pytest.mark.slow),
        ("import os, sys; os.write(1, b'x' * 64); os.close(1)", "holds no model|expected a fitted|got NoneType"),
    ],
    ids=["bomb", "endless", "exit", "segfault", "noise"],
)
def test_an_allowed_pickle_that_misbehaves(tmp_path, code, message):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(run(code)))
    with pytest.raises(TargetError, match=message) as caught:
        load(path, allow_pickle=True, limits=Limits(load_seconds=6 if "while" in code else 60))
    one_line(caught)


def test_the_environment_of_the_worker_holds_no_secrets(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "s3cret")
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(run("import os; raise ValueError('names: ' + ' '.join(sorted(os.environ)))")))
    with pytest.raises(TargetError, match="names: ") as caught:
        load(path, allow_pickle=True)
    assert "SECRET_TOKEN" not in str(caught.value)


def test_an_allowed_pickle_answers_from_its_worker(tmp_path):
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "u", "v")})
    steps = ColumnTransformer([("o", OneHotEncoder(), ["b"])], remainder="passthrough")
    model = make_pipeline(steps, LogisticRegression()).fit(frame, Y)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path, compress=3)
    target = load(path, allow_pickle=True)
    records = Records(frame, Y)
    np.testing.assert_allclose(target.predict_proba(records), model.predict_proba(frame))
    np.testing.assert_allclose(target.predict_proba(records.take(np.array([3]))), model.predict_proba(frame)[[3]])
    assert target.queries == 61
    assert target.classes.tolist() == ["no", "yes"]
    assert target.internals is None
    assert any(note.startswith("Loaded from a pickle") for note in target.notes)
    with pytest.raises(TargetError, match="could not answer about these records"):
        target.predict_proba(Records(X[:, :1], Y))
    np.testing.assert_allclose(target.predict_proba(records), model.predict_proba(frame))  # it lives on


def test_labels_and_values_from_a_worker(tmp_path):
    joblib.dump(SVC(decision_function_shape="ovo").fit(X, np.digitize(X[:, 1], [-1, 1])), tmp_path / "labels.pkl")
    labels = load(tmp_path / "labels.pkl", allow_pickle=True)
    assert isinstance(labels, LabelTarget)
    assert set(labels.predict(Records(X, Y))) == {0, 1, 2}
    joblib.dump(LinearRegression().fit(X, X[:, 0]), tmp_path / "values.pkl")
    values = load(tmp_path / "values.pkl", allow_pickle=True)
    assert isinstance(values, RegressionTarget)
    np.testing.assert_allclose(values.predict_value(Records(X, Y)), X[:, 0], atol=1e-9)


def test_a_worker_that_dies_while_answering_is_named(tmp_path):
    path = tmp_path / "model.pkl"
    joblib.dump(LogisticRegression().fit(X, Y), path)
    target = load(path, allow_pickle=True)
    os.kill(target._link._worker._process.pid, signal.SIGSEGV)
    with pytest.raises(TargetError, match="SIGSEGV") as caught:
        target.predict_proba(Records(X, Y))
    one_line(caught)
    with pytest.raises(TargetError, match="has ended"):
        target.predict_proba(Records(X, Y))


def test_a_damaged_pickle(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(LogisticRegression().fit(X, Y))[:-30])
    with pytest.raises(TargetError, match="could not be loaded"):
        load(path, allow_pickle=True)


def test_a_pickle_of_something_else(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": ast.parse}))
    with pytest.raises(TargetError, match="got dict"):
        load(path, allow_pickle=True)
