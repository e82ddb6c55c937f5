import pickle

import numpy as np
import pytest
import skops.io
from crafted import change_array
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from keepmum.targets import Severity, from_sklearn, inspect
from keepmum.targets._facts import facts_of
from keepmum.targets.inspection import _about

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] > 0) * 1


def test_a_forest(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(RandomForestClassifier(5, random_state=0).fit(X, RNG.integers(0, 2, 60)), path)
    found = {finding.code: finding for finding in inspect(path)}
    assert found["file/small-leaves"].severity is Severity.AGAINST
    assert "holds 1 training record." in found["file/small-leaves"].text
    assert found["file/no-stored-records"].severity is Severity.FOR
    assert "5 trees" in found["file/trees"].text
    assert "RandomForestClassifier" in found["file/types"].text
    severities = [list(Severity).index(finding.severity) for finding in found.values()]
    assert severities == sorted(severities)


def test_a_crafted_file(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(RandomForestClassifier(5, random_state=0).fit(X, Y), path)

    def far(nodes):
        nodes["feature"][0] = 400

    (finding,) = inspect(change_array(path, "nodes", far))
    assert finding.severity is Severity.STOP
    assert "feature that is not there" in finding.text


def test_a_pickle_is_not_loaded(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({}))
    (finding,) = inspect(path)
    assert (finding.code, finding.severity) == ("file/pickle", Severity.STOP)
    assert "skops.io.dump(joblib.load('model.pkl'), 'model.skops')" in finding.remedy


def test_what_is_no_model(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    (finding,) = inspect(path)
    assert (finding.code, finding.severity) == ("file/unreadable", Severity.INFO)


@pytest.mark.parametrize(
    ("model", "what", "rows"),
    [
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "all training rows", 60),
        (SVC(C=1e-6), "support vectors", 60),
    ],
)
def test_models_that_store_records(tmp_path, model, what, rows):
    facts = facts_of(from_sklearn(model.fit(X, np.arange(60) % 2)))
    (stored,) = facts["stored"]
    assert stored[1:] == (what, rows)
    found = _about(tmp_path / "model.skops", facts)
    assert any(finding.severity is Severity.STOP and what in finding.text for finding in found)


def test_wide_leaves_speak_for_the_model(tmp_path):
    facts = facts_of(from_sklearn(RandomForestClassifier(3, min_samples_leaf=15, bootstrap=False).fit(X, Y)))
    assert facts["min_leaf"] >= 15
    assert {f.code for f in _about(tmp_path, facts)} >= {"file/leaves", "file/trees"}
