"""Engines: the same from each, as they come, and nothing lost with a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import pytest

import zoo
from keepmum.errors import ConfigError, MissingExtraError, TargetError, WorkerError
from keepmum.training import engine
from keepmum.training.engines import Shared, _run, as_they_come, workers


def double(shared: Shared[int], unit: int) -> int:
    return shared.get() * unit


def refuses(shared: Shared[Path], unit: int) -> int:
    (shared.get() / f"{unit}-{os.getpid()}").touch()
    if unit == 2:
        raise TargetError("the recipe is wrong")
    return unit


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spark",), "expected engine local, dask or ray, got 'spark'"),
        (("local", "10.0.0.1:1"), "expected no address for the local engine"),
        (("local", None, 0), "expected at least 1 job"),
    ],
)
def test_engines_that_cannot_be(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message), engine(*arguments):
        pass


@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_missing_extra_is_said_at_once(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"keepmum.training.engines.{name}.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=rf"{package}: pip install 'keepmum\[{name}\]'"), engine(name):
        pass


def test_an_engine_is_begun_when_it_is_needed_and_counts_its_workers() -> None:
    assert workers() == 1
    with engine("local", jobs=3):
        assert workers() == 3
        with engine():
            assert workers() == 1
        assert workers() == 3
    with joblib.parallel_config("threading", n_jobs=2):
        assert workers() == 2
    with engine("dask"):  # nothing is trained, so that no cluster begins
        pass


@pytest.mark.parametrize("backend", ["sequential", "threading", "multiprocessing"])
def test_whatever_joblib_is_told_stays_so(backend: str) -> None:
    with joblib.parallel_config(backend, n_jobs=2):
        assert dict(as_they_come(double, Shared(3), range(7))) == {n: 3 * n for n in range(7)}


def test_what_comes_first_is_told_first() -> None:
    done = []
    for number, value in as_they_come(double, Shared(1), [5, 6, 7]):
        done.append((number, value))
        if number == 1:
            break
    assert done == [(0, 5), (1, 6)]


def test_a_recipe_that_fails_is_not_tried_again(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="the recipe is wrong"):
        list(as_they_come(refuses, Shared(tmp_path), range(3)))
    assert len(list(tmp_path.iterdir())) == 3


class TerminatedWorkerError(Exception):
    """As joblib raises it."""


def test_workers_that_are_lost_again_and_again_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    lost = []

    def dies(shared: Shared[int], unit: int) -> int:
        if unit == 2:
            lost.append(unit)
            raise TerminatedWorkerError
        return unit

    came = as_they_come(dies, Shared(0), range(4))
    with pytest.raises(WorkerError, match="lost 3 times in a row"):
        for _ in came:
            pass
    assert len(lost) == _run.PATIENCE


def test_a_loss_now_and_then_is_made_good() -> None:
    seen: set[int] = set()

    def dies_once(shared: Shared[int], unit: int) -> int:
        if unit not in seen:
            seen.add(unit)
            raise TerminatedWorkerError
        return unit

    assert dict(as_they_come(dies_once, Shared(0), range(6))) == {n: n for n in range(6)}


def test_what_cannot_be_sent_is_one_line(tmp_path: Path) -> None:
    class PicklingError(Exception):
        pass

    def unsent(shared: Shared[int], unit: int) -> int:
        raise PicklingError("could not pickle the task\nmore")

    with pytest.raises(ConfigError, match=r"cannot be sent to a worker \(could not pickle the task\): use one job"):
        list(as_they_come(unsent, Shared(0), [1]))


CRASH = """
import os, sys, zoo, keepmum
from keepmum.training import FunctionTrainer, engine
from sklearn.tree import DecisionTreeClassifier

out, marks, name = sys.argv[1:4]

def train(records, seed):
    import time
    deadly = os.path.join(marks, "killed")
    if name != "none" and len(os.listdir(marks)) >= 4:
        try:
            open(deadly, "x").close()  # the first worker that comes here, of those that come at once
            os.kill(os.getpid(), 9)
        except FileExistsError:
            pass
    time.sleep(0.05 if name != "none" else 0)
    open(os.path.join(marks, f"{seed}-{os.getpid()}"), "x").close()
    return DecisionTreeClassifier(random_state=seed).fit(records.X, records.y)

data = zoo.split(100)
model = DecisionTreeClassifier(random_state=0).fit(data.members.X, data.members.y)
with engine(name if name != "none" else "local", jobs=2 if name != "none" else 1):
    keepmum.audit(model, data.members, data.nonmembers, trainer=FunctionTrainer(train, "tree"), shadows=16, out=out,
                  attacks=["membership/lira", "membership/rmia", "membership/learned"])
"""


def crash(folder: Path, name: str) -> bytes:
    """The report of an audit of which a worker is killed, unless the engine is ``"none"``."""
    marks = folder / f"marks-{name}"
    marks.mkdir()
    source = str(Path(_run.__file__).parents[3])
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([source, str(Path(zoo.__file__).parent)])}
    command = [sys.executable, "-c", CRASH, str(folder / name), str(marks), name]
    with subprocess.Popen(command, env=environ, cwd=folder, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            _, err = process.communicate(timeout=240)
        finally:
            kill_group(process.pid)
    assert process.returncode == 0, err.decode()[-2000:]
    assert (marks / "killed").exists() == (name != "none")
    trained = len([path for path in marks.iterdir() if path.name != "killed"])
    assert 16 <= trained <= 16 + 8  # nothing is trained again but what was in flight
    return (folder / name / "report.json").read_bytes()


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return crash(tmp_path_factory.mktemp("whole"), "none")


@pytest.mark.slow
def test_local_workers_one_of_them_killed_give_the_same_report(whole: bytes, tmp_path: Path) -> None:
    assert crash(tmp_path, "local") == whole


@pytest.mark.slow
@pytest.mark.parametrize(("name", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_cluster_one_worker_killed_gives_the_same_report(
    whole: bytes, name: str, package: str, tmp_path: Path
) -> None:
    if find_spec(package) is None:
        pytest.skip(f"needs the extra {name}")
    assert crash(tmp_path, name) == whole


@pytest.mark.slow
@pytest.mark.skipif(find_spec("distributed") is None, reason="needs the extra dask")
def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepmum.training.engines.dask.PATIENCE", "1s")
    for wrong in ("nonsense", "tcp://nonsense", "http://10.0.0.1:8786", "tcp://10.0.0.1:port"):
        with pytest.raises(ConfigError, match="expected an address such as"), engine("dask", wrong):
            raise AssertionError("begun")
    with pytest.raises(ConfigError, match="no Dask scheduler answers at"), engine("dask", "127.0.0.1:9"):
        workers()
