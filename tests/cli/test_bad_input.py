"""What people get wrong: one clear line, exit 2 (3 where it is a limit of the sample), and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest


def wrong(keepmum, folder: Path, *argv: object) -> str:
    """Run a command that must be refused; return its one line."""
    before = sorted(folder.rglob("*"))
    code, out, err = keepmum(*argv)
    assert code == 2, err
    assert out == ""
    assert err.startswith("keepmum: ")
    assert err.count("\n") == 1, err
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before, "something was written"
    return err


def scored(folder: Path, name: str, change) -> Path:
    """A file of recorded answers with something wrong."""
    rng = np.random.default_rng(0)
    one = rng.uniform(0.1, 0.9, 100)
    frame = pd.DataFrame({"label": rng.integers(0, 2, 100), "p_0": 1 - one, "p_1": one, "x": rng.normal(size=100)})
    path = folder / name
    change(frame).to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["audt"], 'Did you mean "audit"?'),
        (["audit", "--sede", "3"], "Did you mean --seed?"),
        (["audit", "--seed", "x"], "--seed: expected a valid integer"),
        (["audit", "--seed", "-1"], "--seed: expected greater than or equal to 0"),
        (["audit", "--seed"], "--seed requires an argument"),
        (["audit", "--prior", "1.5"], "--prior: expected less than 1"),
        (["audit", "--effort", "fast"], "--effort: expected 'quick', 'standard' or 'thorough', got 'fast'"),
        (["audit", "--budget", "soon"], "--budget: expected a duration such as 90s"),
        (["audit"], "expected a MODEL file, or model in [target] of keepmum.toml"),
        (["audit", "nope.skops", "--members", "a"], "expected --nonmembers FILE"),
        (
            ["audit", "nope.skops", "--members", "a", "--nonmembers", "b", "--label", "y"],
            "nope.skops, which is not there",
        ),
        (["audit", "a", "--model", "b"], "expected one model"),
        (["audit", "a", "--scores", "b", "c"], "expected a MODEL or --scores, got both"),
        (["audit", "--scores", "b", "c"], "members: expected a file, got b"),
        (["audit", "--config", "nope.toml"], "nope.toml: cannot be read"),
        (["gate"], "there is no finished run"),
        (["gate", "nope"], "no run nope"),
        (["report"], "there is no finished run"),
        (["compare", "a", "b"], "no run a"),
        (["check", "nope.skops"], "nope.skops, which is not there"),
        (["check", "."], "empty folder"),
        (["list", "things"], "Choose from"),
        (["explain", "los"], "did you mean loss?"),
        (["explain"], "requires an argument"),
    ],
)
def test_usage(keepmum, tmp_path: Path, argv: list[str], message: str) -> None:
    assert message in wrong(keepmum, tmp_path, *argv)


def test_unknown_keys_of_the_project_file(keepmum, tmp_path: Path) -> None:
    (tmp_path / "keepmum.toml").write_text("[audit]\nsede = 1\n")
    assert "[audit] sede is unknown; did you mean seed?" in wrong(keepmum, tmp_path, "audit")
    assert "did you mean seed?" in wrong(keepmum, tmp_path, "gate")


def test_unknown_variables(keepmum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEEPMUM_AUDIT_SEDE", "1")
    assert "KEEPMUM_AUDIT_SEDE is unknown; did you mean seed?" in wrong(keepmum, tmp_path, "audit")


def test_a_wrong_label_column(keepmum, tmp_path: Path, files: Path) -> None:
    data = ("--members", files / "train.csv", "--nonmembers", files / "heldout.csv")
    assert "expected --label COLUMN" in wrong(keepmum, tmp_path, "audit", files / "model.skops", *data)
    said = wrong(keepmum, tmp_path, "audit", files / "model.skops", *data, "--label", "yy")
    assert "has no column 'yy'" in said


def test_a_wrong_slice_column_and_attack(keepmum, tmp_path: Path, files: Path) -> None:
    scores = ("--scores", files / "tight.csv", files / "others.csv")
    assert "no column 'grup'" in wrong(keepmum, tmp_path, "audit", *scores, "--slice", "grup")
    assert "did you mean 'membership/loss'?" in wrong(keepmum, tmp_path, "audit", *scores, "--attack", "membership/los")


def test_a_pickle_is_refused_with_the_line_that_converts_it(keepmum, tmp_path: Path, files: Path) -> None:
    data = ("--members", files / "train.csv", "--nonmembers", files / "heldout.csv", "--label", "y")
    said = wrong(keepmum, tmp_path, "audit", files / "model.pkl", *data)
    assert "skops.io.dump" in said


def test_a_truncated_model(keepmum, tmp_path: Path, files: Path) -> None:
    (tmp_path / "cut.skops").write_bytes((files / "model.skops").read_bytes()[:-200])
    data = ("--members", files / "train.csv", "--nonmembers", files / "heldout.csv", "--label", "y")
    assert "cut.skops" in wrong(keepmum, tmp_path, "audit", "cut.skops", *data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.assign(p_1=f["p_1"].where(f.index > 0)), "finite"),
        (lambda f: f.assign(p_1=f["p_1"] + 0.5), "between 0 and 1|sum to 1"),
        (lambda f: f.assign(label=7), "label"),
        (lambda f: f.drop(columns="label"), "label"),
        (lambda f: f.drop(columns="p_1"), "p_<class>"),
    ],
    ids=["NaN", "sums", "unseen label", "no labels", "one class"],
)
def test_wrong_answers(keepmum, tmp_path: Path, files: Path, change, message: str) -> None:
    import re

    bad = scored(tmp_path, "bad.csv", change)
    good = scored(tmp_path, "good.csv", lambda f: f)
    assert re.search(message, wrong(keepmum, tmp_path, "audit", "--scores", bad, good))


def test_records_of_another_shape(keepmum, tmp_path: Path, files: Path) -> None:
    pd.read_csv(files / "heldout.csv").drop(columns="a").to_csv(tmp_path / "narrow.csv", index=False)
    data = ("--members", files / "train.csv", "--nonmembers", tmp_path / "narrow.csv", "--label", "y")
    assert wrong(keepmum, tmp_path, "audit", files / "model.skops", *data)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a torch module, and images as people keep them."""
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("faces", "held"):
        np.savez(folder / f"{name}.npz", X=rng.uniform(size=(60, 6, 5)).astype(np.float32), y=np.arange(60) % 3)
    np.savez(folder / "public.npz", X=rng.uniform(size=(60, 6, 5)).astype(np.float32))
    np.savez(folder / "wide.npz", X=rng.uniform(size=(60, 7, 5)).astype(np.float32))
    np.savez(folder / "objects.npz", X=np.array([None] * 3, dtype=object), y=np.arange(3))
    np.save(folder / "bare.npy", rng.uniform(size=(60, 6, 5)))
    (folder / "text.npy").write_text("no array")
    np.savez(folder / "nothing.npz", y=np.arange(3))
    code = "from torch import nn\n\ndef make(width=3):\n    return nn.Sequential(nn.Flatten(), nn.Linear(30, width))\n"
    (folder / "picturenet.py").write_text(code + "\ndef wide():\n    return make(4)\n")
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(30, 3))
    safetensors.save_file(module.state_dict(), folder / "model.safetensors")
    torch.save(module, folder / "whole.pt")
    safetensors.save_file({"0.weight": torch.zeros(2)}, folder / "other.safetensors")
    return folder


USUAL = {
    "model": "model.safetensors",
    "--factory": "picturenet:make",
    "--members": "faces.npz",
    "--nonmembers": "held.npz",
}
PUBLIC = {"--population": "public.npz", "--attack": "inversion/nes"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--factory": None}, "say which function builds the module (--factory"),
        ({"--factory": "picturenet"}, "expected package.module:function"),
        ({"--factory": "nonet:make"}, "nonet cannot be imported from"),
        ({"--factory": "picturenet:wide"}, "expected 1.weight of shape (4, 30), as the factory builds it, got (3, 30)"),
        ({"model": "other.safetensors"}, "lacks 1.weight, 1.bias and has 0.weight"),
        ({"model": "whole.pt"}, "more than weights"),
        ({"--gives": "odds"}, "--gives: expected 'logits' or 'probabilities', got 'odds'"),
        ({"--gives": "probabilities"}, "expected probabilities from the module, as declared"),
        ({"--classes": "0,1"}, "label 2 was not seen in training (the model knows 0, 1)"),
        ({**PUBLIC, "--shape": "6"}, "--shape: expected height,width"),
        ({**PUBLIC, "--shape": "6,x"}, "--shape 1: expected a valid integer"),
        ({**PUBLIC, "--shape": "3,3"}, "expected records that are images of shape (3, 3)"),
        ({**PUBLIC, "--pixels": "1,0"}, "--pixels: expected the darkest and a brighter value"),
        ({**PUBLIC, "--pixels": "0,0.5"}, "members: expected pixels from 0 to 0.5, as declared"),
        ({**PUBLIC, "--image-prior": "gan"}, "--image-prior: expected 'pca', 'vae' or 'pixels', got 'gan'"),
        ({**PUBLIC, "--image-components": "0"}, "--image-components: expected greater than or equal to 1"),
        ({**PUBLIC, "--image-prior": "pixels", "--image-components": "3"}, "pixels have none"),
        ({**PUBLIC, "--image-classes": "0"}, "--image-classes: expected greater than or equal to 1"),
        ({**PUBLIC, "--image-queries": "5"}, "--image-queries: expected greater than or equal to 10"),
        ({**PUBLIC, "--population": "wide.npz"}, "population: expected images of shape (6, 5), as the members are"),
        ({"--attack": "membership/loss", "--persons": ""}, "none of the attacks draws pictures of these records"),
        ({"--members": "objects.npz"}, "never unpickled"),
        ({"--members": "bare.npy"}, "bare.npy has no labels: save them as bare.labels.npy"),
        ({"--members": "text.npy"}, "text.npy"),
        ({"--members": "public.npz"}, "public.npz has no array 'y' among X"),
        ({"--population": "nothing.npz"}, "expected an array X"),
    ],
    ids=str,
)
def test_torch_files_and_images(keepmum, tmp_path: Path, pictures: Path, monkeypatch, change, message: str) -> None:
    monkeypatch.setattr("keepmum.targets.files.facts_in_worker", lambda *_: {})  # two seconds each
    monkeypatch.syspath_prepend(pictures)
    words: list[object] = ["audit"]
    for name, value in {**USUAL, **change}.items():
        if value is not None:
            words += [] if name == "model" else [name]
            words += [pictures / value] if value.endswith((".safetensors", ".pt", ".npz", ".npy")) else [value]
    words = [word for word in words if word != ""]
    assert message in wrong(keepmum, tmp_path, *words)


def test_an_unwritable_folder(keepmum, tmp_path: Path, files: Path) -> None:
    (tmp_path / "file").write_text("")
    scores = ("--scores", files / "tight.csv", files / "others.csv")
    assert "file" in wrong(keepmum, tmp_path, "audit", *scores, "--out", "file/run")


def test_a_folder_that_holds_something_else(keepmum, tmp_path: Path, files: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    scores = ("--scores", files / "tight.csv", files / "others.csv")
    assert "is not empty" in wrong(keepmum, tmp_path, "audit", *scores, "--out", "mine")


def test_a_report_that_is_none(keepmum, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema_version": 1')
    assert "damaged or cut off" in wrong(keepmum, tmp_path, "gate", "report.json")
    (tmp_path / "report.json").write_text('{"schema_version": 99}')
    assert "update keepmum" in wrong(keepmum, tmp_path, "gate", "report.json")


@pytest.mark.parametrize(
    "change",
    [lambda f: f, lambda f: f.head(3), lambda f: f.assign(p_0=0.5, p_1=0.5)],
    ids=["members equal non-members", "three records", "constant model"],
)
def test_limits_of_the_sample_are_told_not_refused(keepmum, tmp_path: Path, change) -> None:
    same = scored(tmp_path, "same.csv", change)
    if change(pd.DataFrame({"p_0": [0.0], "p_1": [0.0]}))["p_0"][0] == 0.5:
        rng = np.random.default_rng(1)
        other = scored(tmp_path, "other.csv", lambda f: change(f).assign(x=rng.normal(size=100)))
        assert keepmum("audit", "--scores", same, other)[0] in (0, 3)
        return
    code, _, err = keepmum("audit", "--scores", same, same)
    assert code in (2, 3)
    assert "Traceback" not in err


def test_an_internal_error_is_one_line_and_code_4(keepmum, monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oh no")

    monkeypatch.setattr("keepmum.cli.list.runs", broken)
    monkeypatch.setattr("keepmum.cli.list.LISTS", {"runs": broken})
    code, _, err = keepmum("list", "runs")
    assert (code, err.count("\n")) == (4, 1)
    assert "RuntimeError: oh no" in err
    assert "-vv" in err
    code, _, err = keepmum("list", "runs", "-vv")
    assert code == 4
    assert "Traceback" in err
