"""``keepmum audit-dp``: claims, faults, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RECIPES = """
from torch import nn
from keepmum.training import PrivateTrainer, TorchTrainer
from keepmum.training.private import Mechanism


def build():
    return nn.Sequential(nn.Linear(3, 24), nn.ReLU(), nn.Linear(24, 2))


class Quiet(Mechanism):
    def noise(self, size, sd, generator):
        return super().noise(size, sd, generator) * 0.1


def sound(**more):
    inner = TorchTrainer(build, optimizer="sgd", lr=0.5, epochs=5)
    return PrivateTrainer(inner, epsilon=4.0, batch=40, **more)


def faulty():
    return sound(mechanism=Quiet())
"""


def command(files: Path, *more: object) -> list[object]:
    return ["audit-dp", "--members", files / "train.csv", "--label", "y", "--no-progress", *more]


def test_a_memorizing_model_refutes_a_claim_and_without_one_nothing_is_refuted(keepmum, files: Path) -> None:
    code, out, err = keepmum(*command(files, files / "model.skops", "--epsilon", 0.5, "--json"))
    assert code == 1, err
    told = json.loads(out[out.index("{") :])
    assert told["audits"][0]["refuted"] is True
    assert told["audits"][0]["epsilon"] > 0.5
    assert "REFUTED" in out + err
    many = ["--epsilon", 0.1, "--canaries", 60, "--runs", 40, "--json"]
    code, out, err = keepmum(*command(files, files / "model.skops", *many))
    assert code == 1, err
    assert json.loads(out[out.index("{") :])["audits"][1]["canaries"] == 40
    code, out, err = keepmum(*command(files, files / "model.skops", "--canaries", 60))
    assert code == 0, err
    assert "NO CLAIM" in out + err


def test_a_private_recipe_is_watched_and_tested(keepmum, files: Path, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("dp_accounting")
    (tmp_path / "dp_recipes_here.py").write_text(RECIPES)
    how = ["--canaries", 100, "--json", "--out", tmp_path / "dp"]
    code, out, err = keepmum(*command(files, "--recipe", "dp_recipes_here:sound", *how))
    assert code == 0, err
    told = json.loads(out[out.index("{") :])
    assert [audit["view"] for audit in told["audits"]] == ["black box", "white box"]
    assert {audit["claimed"] for audit in told["audits"]} == {4.0}
    assert {check["passed"] for check in told["mechanism"]} == {True}
    assert json.loads((tmp_path / "dp" / "dp-audit.json").read_text()) == told
    assert "NOT REFUTED" in out + err
    assert "WARNING" not in out + err
    code, out, err = keepmum(*command(files, "--recipe", "dp_recipes_here:faulty", *how))
    assert code == 1
    assert "does not do what it says: noise" in out + err
    assert "noise: FAILED" in (tmp_path / "dp" / "dp-audit.md").read_text()
    code, _, err = keepmum(*command(files, "--recipe", "dp_recipes_here:sound", "--delta", 0.1))
    assert (code, "the recipe claims delta 1e-05 itself" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "expected a MODEL file or --recipe"),
        (["{model}", "--recipe", "a:b"], "got both"),
        (["--recipe", "nowhere:make"], "--recipe: nowhere:make cannot be had"),
        (["{model}", "--canaries", 10], "--canaries"),
        (["{model}", "--epsilon", -1], "--epsilon"),
        (["{model}", "--runs", 21], "--runs"),
        (["{model}", "--members", "nobody.csv"], "expected --members FILE"),
        (["{model}", "--label", "z"], "'z'"),
    ],
)
def test_bad_input_is_one_line(keepmum, files: Path, words, said) -> None:
    words = [files / "model.skops" if word == "{model}" else word for word in words]
    base = [word for word in command(files) if not ("--label" in words and word in ("--label", "y"))]
    if "--members" in words:
        base = ["audit-dp", "--label", "y", "--no-progress"]
    code, _, err = keepmum(*base, *words)
    assert code == 2
    assert said in err
    assert len([line for line in err.splitlines() if "keepmum:" in line]) == 1
