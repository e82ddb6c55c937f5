"""The store: whole or absent, never a stranger's signals, and nothing trained twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum import _version
from keepmum.data import Records
from keepmum.errors import BudgetError, ConfigError
from keepmum.shadows import SCALED_LOGIT, ShadowStore, Signal, balanced_pairs, scaled_logit
from keepmum.shadows import store as module
from keepmum.training import FunctionTrainer, SklearnTrainer

DATA = replace(zoo.people(61, 0), ids=np.arange(61) * 2)
TREE = SklearnTrainer(DecisionTreeClassifier(max_depth=3))


@dataclass
class Counted:
    """A recipe that counts how often it trains."""

    trained: int = 0

    def __call__(self, records: Records, seed: int) -> Any:
        self.trained += 1
        return DecisionTreeClassifier(random_state=seed % 2**31).fit(records.X, records.y)


def counted(name: str = "counted") -> tuple[Counted, FunctionTrainer]:
    calls = Counted()
    return calls, FunctionTrainer(calls, name)


@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 2**32))
def test_every_record_is_in_exactly_half_of_the_models(records: int, pairs: int, seed: int) -> None:
    masks = [mask for mask, _ in balanced_pairs(records, pairs, seed)]
    assert (np.concatenate(masks).sum(axis=0) == pairs).all()
    assert all((mask[0] != mask[1]).all() and abs(int(mask[0].sum()) * 2 - records) <= 1 for mask in masks)
    more = [mask for mask, _ in balanced_pairs(records, pairs + 1, seed)]
    np.testing.assert_array_equal(masks, more[:-1])


def test_keeps_what_each_model_says_about_everybody() -> None:
    shadows = ShadowStore().collect(TREE, DATA, 4, seed=3)
    assert len(shadows) == 4
    np.testing.assert_array_equal(shadows.ids, DATA.ids)
    for number, (mask, seeds) in enumerate(balanced_pairs(len(DATA), 2, 3)):
        for side in (0, 1):
            model = TREE.train(DATA.take(mask[side]), seeds[side])
            expected = scaled_logit(model, DATA, unknown=True).astype(np.float32)
            np.testing.assert_array_equal(shadows.signals[2 * number + side], expected)
            np.testing.assert_array_equal(shadows.trained_on[2 * number + side], mask[side])


def test_a_label_that_a_model_never_met_is_impossible_to_it() -> None:
    rare = Records(DATA.X, np.r_[np.full(60, 0), 7])
    rare.y[:30] = 1
    shadows = ShadowStore().collect(TREE, rare, 2, seed=0)
    unmet = ~shadows.trained_on[:, 60]
    assert shadows.signals[int(np.flatnonzero(unmet)[0])][60] < -600


def test_extends_and_resumes_without_training_twice(tmp_path: Path) -> None:
    calls, trainer = counted()
    store, told = ShadowStore(tmp_path / "new" / "store"), []
    four = store.collect(trainer, DATA, 4, 0)
    assert calls.trained == 4
    ten = store.collect(trainer, DATA, 10, 0, lambda done, total: told.append((done, total)))
    assert calls.trained == 10
    assert told == [(4, 10), (6, 10), (8, 10), (10, 10)]
    np.testing.assert_array_equal(ten.signals[:4], four.signals)
    again = store.collect(trainer, DATA, 10, 0)
    assert calls.trained == 10
    np.testing.assert_array_equal(again.signals, ten.signals)
    assert isinstance(again.signals[0], np.memmap)
    assert oct((tmp_path / "new" / "store").stat().st_mode)[-3:] == "700"


def test_what_was_done_before_an_interruption_is_kept(tmp_path: Path) -> None:
    calls, trainer = counted()

    def stop(done: int, total: int) -> None:
        if done == 4:
            raise BudgetError("enough")

    with pytest.raises(BudgetError):
        ShadowStore(tmp_path).collect(trainer, DATA, 8, 0, stop)
    before = calls.trained
    ShadowStore(tmp_path).collect(trainer, DATA, 8, 0)
    assert calls.trained == before + 4
    assert not list(tmp_path.glob("*.partial"))


CHANGES = ["cell", "byte", "label", "order", "row", "seed", "recipe", "weight", "version", "store", "signal", "half"]


@settings(max_examples=80, deadline=None)
@given(what=st.sampled_from(CHANGES), data=st.data())
def test_a_change_of_anything_is_never_a_hit(what: str, data: st.DataObject) -> None:
    trainer, records, seed = TREE, DATA, 0
    row = data.draw(st.integers(0, len(DATA) - 1))
    with pytest.MonkeyPatch.context() as patch:
        before = keys(trainer, records, seed)
        if what == "cell":
            X = DATA.X.copy()
            X[row, 1] = np.nextafter(X[row, 1], np.inf)
            records = Records(X, DATA.y)
        elif what == "byte":
            X = DATA.X.copy()
            X.view(np.uint8).reshape(len(DATA), -1)[row, data.draw(st.integers(0, 39))] ^= np.uint8(1)
            records = Records(X, DATA.y)
        elif what == "label":
            records = Records(DATA.X, np.where(np.arange(len(DATA)) == row, DATA.y + 1, DATA.y))
        elif what == "order":
            records = DATA.take(np.roll(np.arange(len(DATA)), row % 60 + 1))
        elif what == "row":
            records = DATA.take(np.arange(len(DATA)) != row)
        elif what == "seed":
            seed = row + 1
        elif what == "recipe":
            trainer = SklearnTrainer(DecisionTreeClassifier(max_depth=3, min_samples_leaf=row + 2))
        elif what == "weight":
            first = np.linspace(0, 1, 61)
            prior = first.copy()
            prior[row] = np.nextafter(prior[row], 2)
            before = keys(SklearnTrainer(DummyClassifier(constant=first)), records, seed)
            trainer = SklearnTrainer(DummyClassifier(constant=prior))
        elif what == "version":
            patch.setattr(_version, "__version__", "0.1.1")
        else:
            patch.setattr(module, "VERSION", module.VERSION + 1)
        asked = replace(SCALED_LOGIT, name="another") if what == "signal" else SCALED_LOGIT
        after = keys(trainer, records, seed, asked, row if what == "half" else None)
        assert not after & before


def keys(
    trainer: SklearnTrainer, records: Records, seed: int, asked: Signal = SCALED_LOGIT, other: int | None = None
) -> set[str]:
    """Names of three pairs; one record of each pair changes sides if ``other`` is its place."""
    fingerprint = module._fingerprint(trainer, records, seed, asked)
    pairs = list(balanced_pairs(len(records), 3, seed))
    if other is not None:
        for mask, _ in pairs:
            mask[:, other] = ~mask[:, other]
    return {module._key(fingerprint, mask, seeds) for mask, seeds in pairs}


def test_the_same_request_is_a_hit() -> None:
    assert keys(TREE, DATA, 0) == keys(SklearnTrainer(DecisionTreeClassifier(max_depth=3)), DATA.take(np.arange(61)), 0)


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense"])
def test_a_damaged_file_is_trained_again(tmp_path: Path, damage: bytes) -> None:
    calls, trainer = counted()
    whole = ShadowStore(tmp_path).collect(trainer, DATA, 4, 0)
    expected = [row.copy() for row in whole.signals]
    next(iter(sorted(tmp_path.glob("*.npy")))).write_bytes(damage)
    mended = ShadowStore(tmp_path).collect(trainer, DATA, 4, 0)
    assert calls.trained == 6
    np.testing.assert_array_equal(mended.signals, expected)


def test_files_left_behind_long_ago_are_taken_away(tmp_path: Path) -> None:
    old, fresh = tmp_path / "a.partial", tmp_path / "b.partial"
    for path in (old, fresh):
        path.write_bytes(b"")
    os.utime(old, (0, 0))
    ShadowStore(tmp_path).collect(TREE, DATA, 2, 0)
    assert not old.exists()
    assert fresh.exists()


@pytest.mark.parametrize("models", [0, 3, -2])
def test_models_come_in_pairs(models: int) -> None:
    with pytest.raises(ConfigError, match="even"):
        ShadowStore().collect(TREE, DATA, models, 0)


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot write"):
        ShadowStore(tmp_path / "file" / "store").collect(TREE, DATA, 2, 0)


def test_workers_give_the_same_signals(tmp_path: Path) -> None:
    alone = ShadowStore().collect(TREE, DATA, 6, 0)
    with joblib.parallel_config("threading", n_jobs=2):
        together = ShadowStore(tmp_path).collect(TREE, DATA, 6, 0)
    np.testing.assert_array_equal(alone.signals, together.signals)


@pytest.mark.slow
def test_processes_give_the_same_signals() -> None:
    code = (
        "import joblib, numpy as np, zoo; from keepmum.shadows import ShadowStore;"
        "from keepmum.training import SklearnTrainer; from sklearn.tree import DecisionTreeClassifier as T\n"
        "with joblib.parallel_config('loky', n_jobs=2):\n"
        " s = ShadowStore().collect(SklearnTrainer(T(max_depth=3)), zoo.people(61, 0), 6, 0)\n"
        "print(np.array(s.signals).astype(float).sum())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    expected = np.array(ShadowStore().collect(TREE, DATA, 6, 0).signals).astype(float).sum()
    assert float(run.stdout) == expected


def environment() -> dict[str, str]:
    source = str(Path(module.__file__).parents[2])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([source, str(Path(zoo.__file__).parent)])}


AUDIT = """
import sys, time, zoo, keepmum
from keepmum.training import FunctionTrainer
from sklearn.tree import DecisionTreeClassifier

def train(records, seed):
    time.sleep({pause})
    with open(sys.argv[2], "a") as file:
        file.write("x")
    return DecisionTreeClassifier(random_state=seed).fit(records.X, records.y)

data = zoo.split(100)
model = DecisionTreeClassifier(random_state=0).fit(data.members.X, data.members.y)
keepmum.audit(model, data.members, data.nonmembers, trainer=FunctionTrainer(train, "tree"), shadows=16, out=sys.argv[1],
              attacks=["membership/lira", "membership/rmia", "membership/learned"])
"""


@pytest.mark.slow
def test_two_audits_in_one_store_at_once_do_not_clash(tmp_path: Path) -> None:
    count, store = tmp_path / "count", tmp_path / "store"
    code = AUDIT.format(pause=0.02).replace("out=sys.argv[1],", f"out=sys.argv[1], shadow_store={str(store)!r},")
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / out), str(count)], env=environment())
        for out in ("first", "second")
    ]
    assert [process.wait(180) for process in both] == [0, 0]
    reports = [(tmp_path / out / "report.json").read_bytes() for out in ("first", "second")]
    assert reports[0] == reports[1]
    assert len(list(store.glob("*.npy"))) == 8
    assert not list(store.glob("*.partial"))
    assert 16 <= count.stat().st_size <= 32


def test_what_is_kept_is_read_from_the_disk_and_what_is_not_lives_with_the_store(tmp_path: Path) -> None:
    assert all(isinstance(row, np.memmap) for row in ShadowStore(tmp_path).collect(TREE, DATA, 4, 0).signals)
    calls, trainer = counted()
    store = ShadowStore()
    store.collect(trainer, DATA, 4, 0)
    assert (store.at_hand(trainer, DATA, 8, 0), store.at_hand(trainer, DATA, 8, 1)) == (4, 0)
    store.collect(trainer, DATA, 6, 0)
    assert calls.trained == 6
    ShadowStore().collect(trainer, DATA, 6, 0)
    assert calls.trained == 12


@pytest.mark.parametrize("kept", [True, False])
def test_what_a_model_took_is_told(tmp_path: Path, kept: bool) -> None:
    store = ShadowStore(tmp_path if kept else None)
    assert store.cost(TREE, DATA, 0) is None
    store.collect(TREE, DATA, 4, 0)
    cost = store.cost(TREE, DATA, 0)
    assert cost is not None
    assert 0 < cost.seconds < 60
    assert cost.memory > 1e7


@pytest.mark.slow
def test_killed_at_any_point_it_resumes_with_the_same_findings(tmp_path: Path) -> None:
    def run(out: str, pause: float) -> subprocess.Popen[bytes]:
        count = str(tmp_path / f"{out}.count")
        return subprocess.Popen(
            [sys.executable, "-c", AUDIT.format(pause=pause), str(tmp_path / out), count], env=environment()
        )

    assert run("whole", 0.0).wait(120) == 0
    kills = 0
    for moment in np.random.default_rng(0).uniform(0.05, 0.6, 4):
        process = run("killed", 0.05)
        deadline = time.monotonic() + 60
        while not list((tmp_path / "killed").glob("restricted/shadows")) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(float(moment))
        process.send_signal(signal.SIGKILL)
        kills += process.wait(60) != 0
    assert kills >= 1
    assert run("killed", 0.0).wait(120) == 0
    trained = (tmp_path / "killed.count").stat().st_size
    assert 16 <= trained <= 16 + 2 * kills
    reports = [(tmp_path / out / "report.json").read_bytes() for out in ("whole", "killed")]
    assert reports[0] == reports[1]
