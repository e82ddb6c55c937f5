"""What shadow models said: listed in words, and never taken away while it is used."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.tree import DecisionTreeClassifier

import zoo
from keepmum.shadows import ShadowStore, _cabinet
from keepmum.training import FunctionTrainer, SklearnTrainer

Keepmum = Callable[..., tuple[int, str, str]]
DATA = zoo.people(50, 0)
TREE = SklearnTrainer(DecisionTreeClassifier())


def fill(folder: Path, days: float = 10.0, name: str = "") -> Path:
    """A store with four models that was used some days ago."""
    trainer = FunctionTrainer(lambda records, seed: TREE.train(records, seed), name) if name else TREE
    ShadowStore(folder).collect(trainer, DATA, 4, 0)
    for path in folder.iterdir():
        when = time.time() - days * 24 * 3600
        os.utime(path, (when, when))
    return folder


def listed(keepmum: Keepmum, *argv: object) -> list[dict[str, object]]:
    code, out, err = keepmum("cache", "list", "--json", "-q", *argv)
    assert code == 0, err
    told: list[dict[str, object]] = json.loads(out)
    return told


def test_lists_stores_of_runs_of_the_settings_and_those_given(keepmum: Keepmum, tmp_path: Path) -> None:
    for place in (".keepmum/runs/a/restricted/shadows", ".keepmum/runs/demo/leaky/restricted/shadows", "kept", "given"):
        fill(tmp_path / place)
    (tmp_path / "keepmum.toml").write_text('[audit]\nshadow_store = "kept"')
    given = tmp_path / "given"
    assert [Path(str(one["folder"])).resolve().relative_to(tmp_path).parts[0] for one in listed(keepmum, given)] == [
        ".keepmum", ".keepmum", "kept", "given",
    ]  # fmt: skip
    (one,) = listed(keepmum, given, given)[-1:]
    assert {key: one[key] for key in ("models", "recipe", "signal", "records", "in_use")} == {
        "models": 4, "recipe": "SklearnTrainer DecisionTreeClassifier", "signal": "scaled logit", "records": 50,
        "in_use": False,
    }  # fmt: skip
    assert one["bytes"] == sum(path.stat().st_size for path in given.iterdir() if path.suffix != ".lock")
    out = keepmum("cache")[1]
    assert "SklearnTrainer DecisionTreeClassifier, 50 records" in out


def test_a_run_folder_stands_for_the_store_in_it(keepmum: Keepmum, tmp_path: Path) -> None:
    fill(tmp_path / "audit" / "restricted" / "shadows")
    assert len(listed(keepmum, "audit")) == 1


def test_prune_says_what_it_would_do_and_does_it_when_told(keepmum: Keepmum, tmp_path: Path) -> None:
    store = fill(tmp_path / "store", days=40)
    fill(tmp_path / "young", days=10)
    (store / "mine.npy").write_bytes(b"mine")
    code, out, _ = keepmum("cache", "prune", "store", "young", "--older-than", "30d")
    assert code == 0
    assert "the same command with --yes does" in out
    assert len(listed(keepmum, "store", "young")) == 2
    code, out, _ = keepmum("cache", "prune", "store", "young", "--older-than", "30d", "--yes", "--json")
    told = json.loads(out.splitlines()[-1])
    assert (code, len(told["pruned"])) == (0, 1)
    assert told["bytes"] > 0
    assert [path.name for path in store.iterdir()] == ["mine.npy"]
    assert len(listed(keepmum, "store", "young")) == 1
    assert "Nothing to take away" in keepmum("cache", "prune", "store", "--all", "-y")[1]


def test_signals_that_are_used_are_left_alone(keepmum: Keepmum, tmp_path: Path) -> None:
    fresh, busy = fill(tmp_path / "fresh", days=0), fill(tmp_path / "busy")
    (name,) = {path.name[:16] for path in busy.glob("*.npy")}
    with _cabinet.in_use(busy, name):
        code, out, err = keepmum("cache", "prune", fresh, busy, "--all", "--yes")
        assert (code, "Nothing to take away" in out) == (0, True)
        assert "Left alone: 2" in err
        assert not _cabinet.kept(busy)[0].remove()
    assert len(list(busy.glob("*.npy"))) == len(list(fresh.glob("*.npy"))) == 2
    assert json.loads(keepmum("cache", "prune", busy, "--all", "-y", "--json", "-q")[1])["pruned"]


def test_signals_that_were_asked_for_again_are_young(keepmum: Keepmum, tmp_path: Path) -> None:
    store = fill(tmp_path / "store", days=40)
    ShadowStore(store).collect(TREE, DATA, 4, 0)
    assert listed(keepmum, store)[0]["in_use"]
    assert "Nothing to take away" in keepmum("cache", "prune", store, "--older-than", "1d", "-y")[1]


def test_after_pruning_an_audit_trains_again(tmp_path: Path) -> None:
    store = fill(tmp_path / "store")
    before = [row.copy() for row in ShadowStore(store).collect(TREE, DATA, 4, 0).signals]
    for path in store.iterdir():
        os.utime(path, (0, 0))
    assert [one.remove() for one in _cabinet.kept(store)] == [True]
    after = ShadowStore(store).collect(TREE, DATA, 4, 0).signals
    assert all((a == b).all() for a, b in zip(before, after, strict=True))


def test_nothing_that_leaks_stands_beside_the_signals(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from keepmum.shadows.store import _summary

    pipeline = make_pipeline(TfidfVectorizer(vocabulary=["Ada Lovelace"]), LogisticRegression())
    assert _summary(SklearnTrainer(pipeline)) == "SklearnTrainer TfidfVectorizer + LogisticRegression"
    fill(tmp_path, name="my training v3")
    (label,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert set(label) == {"recipe", "signal", "records", "keepmum", "seconds", "training", "memory", "made"}
    assert label["recipe"] == "FunctionTrainer my training v3"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("list", "--all"), "with prune, not with list"),
        (("prune",), "expected one of --older-than AGE and --all"),
        (("prune", "--all", "--older-than", "1d"), "expected one of --older-than AGE and --all"),
        (("prune", "--older-than", "soon"), "expected an age such as 30d or 12h, got 'soon'"),
        (("list", "nowhere"), "expected folders, got nowhere"),
    ],
)
def test_mistakes(keepmum: Keepmum, argv: tuple[str, ...], message: str) -> None:
    code, out, err = keepmum("cache", *argv)
    assert (code, out) == (2, "")
    assert message in err


def test_without_stores(keepmum: Keepmum) -> None:
    assert keepmum("cache")[1] == "No signals of shadow models here.\n"
