"""A search for settings: every try is measured, kept, and counted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from keepmum.data import Records, Split
from keepmum.errors import ConfigError
from keepmum.harden import tune

pytest.importorskip("optuna")


def split() -> Split:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 160)
    X = rng.normal(size=(160, 5)) + 1.2 * np.eye(5)[y]
    return Split(Records(X[::2], y[::2]), Records(X[1::2], y[1::2]))


def test_every_try_is_a_row_and_the_search_is_counted(tmp_path) -> None:
    how = {"trials": 4, "models": 6, "canaries": 20, "out": tmp_path}
    found = tune(DecisionTreeClassifier(), split(), "training/leaf-size", {"records": (2, 30)}, **how)
    tried = [row for row in found.rows if row.name.startswith("training/leaf-size")]
    assert 2 <= len(tried) <= 4
    assert all(row.metrics for row in tried)
    assert "search of 4 tries" in found.notes[-1]
    assert "search of 4 tries" in (tmp_path / "harden.json").read_text()
    again = tune(DecisionTreeClassifier(), split(), "training/leaf-size", {"records": (2, 30)}, **how)
    assert [row.name for row in again.rows] == [row.name for row in found.rows]


@pytest.mark.parametrize(
    ("defense", "ranges", "trials", "said"),
    [
        ("training/leaf-size", {"records": (2, 30)}, 1, "at least 2 tries"),
        ("training/leaf-size", {}, 3, "some ranges"),
        ("training/leaf-size", {"records": (30, 2)}, 3, "from a lower to a higher"),
        ("training/leaf-size", {"record": (2, 30)}, 3, "settings as name=value, of records"),
        ("training/leaf-size", {"records": 5}, 3, "from a lower to a higher"),
        ("training/leafs", {"records": (2, 30)}, 3, "did you mean"),
    ],
)
def test_bad_input(defense, ranges, trials, said) -> None:
    with pytest.raises(ConfigError, match=said):
        tune(DecisionTreeClassifier(), split(), defense, ranges, trials=trials)
