"""``keepmum harden`` and what it says."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest


def command(files: Path, *more: object) -> list[str]:
    sides = ["--members", files / "train.csv", "--nonmembers", files / "heldout.csv", "--label", "y"]
    how = ["--models", "6", "--canaries", "40", "--seed", "1"]
    return [str(part) for part in ("harden", *sides, *how, *more)]


def test_defenses_side_by_side(keepmum, files: Path, tmp_path: Path) -> None:
    together = "training/depth + output/rounding:decimals=1"
    defenses = [
        "--defense",
        "training/leaf-size:records=40",
        "--defense",
        "training/depth + output/rounding:decimals=1",
    ]
    words = command(files, files / "model.skops", *defenses, "--out", tmp_path / "h", "--json")
    code, out, err = keepmum(*words)
    assert code == 0, err
    told = json.loads(out.splitlines()[-1])
    assert [row["defense"] for row in told["rows"]] == [
        "none",
        "training/leaf-size:records=40",
        together,
        "output/label-only",
    ]
    assert "Knee of the frontier" in out + err
    assert (tmp_path / "h" / "harden.html").is_file()
    again = keepmum(*words)
    assert json.loads(again[1].splitlines()[-1]) == told


def test_a_row_is_exported_and_audited(keepmum, files: Path, tmp_path: Path) -> None:
    one = "training/leaf-size:records=40 + output/rounding:decimals=1"
    words = command(files, files / "model.skops", "--defense", one, "--out", tmp_path / "h")
    code, out, err = keepmum(*words, "--export", tmp_path / "m", "--row", one)
    assert code == 0, err
    told = json.loads((tmp_path / "m" / "defense.json").read_text())
    assert told["behind"] == "output/rounding:decimals=1"
    (model,) = (path for path in (tmp_path / "m").iterdir() if path.suffix == ".skops")
    assert str(model) in (out + err).replace("\n", "")
    code, _, err = keepmum(*words, "--export", tmp_path / "m")
    assert code == 2
    assert "which is there and not empty" in err
    assert keepmum(*words, "--export", tmp_path / "knee")[0] == 0
    for more, said in (
        (["--row", one], "expected --export with a folder"),
        (["--export", tmp_path / "x", "--row", "training/depth"], "named with --defense"),
        (["--export", tmp_path / "x", "--row", "training/dept"], "did you mean 'training/depth'"),
    ):
        code, _, err = keepmum(*words, *map(str, more))
        assert code == 2
        assert said in " ".join(err.split())


def test_a_recipe_by_name(keepmum, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "from sklearn.tree import DecisionTreeClassifier\n\n\ndef make():\n    return DecisionTreeClassifier()\n"
    (tmp_path / "my_recipe.py").write_text(code)
    words = command(files, "--recipe", "my_recipe:make", "--defense", "training/depth:levels=1", "--out", "h")
    code, _, err = keepmum(*words)
    assert code == 0, err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def make():\n    raise RuntimeError('boom')\n", "got RuntimeError from my_bad_recipe:make (boom)"),
        ("def make(x):\n    return x\n", "expected a function without parameters"),
        ("make = 5\n", "expected a function without parameters"),
        ("def make(:\n", "--recipe: my_bad_recipe cannot be imported (SyntaxError: "),
        ("import nothing_of_that_name\n", "cannot be had (No module named 'nothing_of_that_name')"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_told_as_the_users(
    keepmum, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_bad_recipe", raising=False)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "my_bad_recipe.py").write_text(code)
    ended, _, err = keepmum(*command(files, "--recipe", "my_bad_recipe:make"))
    assert (ended, said in err) == (2, True), err
    assert "internal error" not in err


def test_a_population_teaches_students(keepmum, files: Path, tmp_path: Path) -> None:
    lines = (files / "heldout.csv").read_text().splitlines()
    (tmp_path / "others.csv").write_text("\n".join([lines[0], *lines[-40:]]) + "\n")
    found = []
    for more in ((), ("--population", tmp_path / "others.csv")):
        words = [files / "model.skops", *more, "--defense", "training/distillation", "--out", tmp_path / "h", "--json"]
        code, out, err = keepmum(*command(files, *words))
        assert code == 0, err
        rows = json.loads(out[out.index("{") :])["rows"]
        found.append({row["defense"]: row["metrics"]["accuracy"] for row in rows})
    assert found[0]["none"] == found[1]["none"]
    assert found[0]["training/distillation"] != found[1]["training/distillation"]


def test_a_defense_that_was_not_run_is_no_success(keepmum, files: Path, tmp_path: Path) -> None:
    words = command(files, files / "model.skops", "--defense", "training/dropout", "--out", tmp_path / "h")
    code, out, _ = keepmum(*words)
    assert code == 3
    assert "training/dropout was not run: " in out


def test_ctrl_c_tells_what_is_kept(keepmum, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keepmum.harden import _run

    monkeypatch.setattr(_run, "_one", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    words = command(files, files / "model.skops", "--defense", "training/depth", "--out", tmp_path / "h")
    code, _, err = keepmum(*words)
    assert code == 130
    assert f"interrupted: what is finished is kept in {tmp_path / 'h'}; the same command continues" in err
    assert "Traceback" not in err


def test_options_that_harden_has_no_use_for_are_refused(keepmum, files: Path) -> None:
    code, _, err = keepmum(*command(files, files / "model.skops", "--slice", "x0"))
    assert code == 2
    assert "--slice" in err


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["{model}", "--defense", "training/leaf"], "did you mean"),
        (["{model}", "--defense", "training/depth:levels=0"], "expected at least 1 level"),
        (["{model}", "--models", "7"], "an even number of models"),
        (["{model}", "--models", "4"], "--models: "),
        (["{model}", "--recipe", "a:b"], "expected a MODEL or --recipe, got both"),
        (["--recipe", "nowhere:make"], "--recipe: nowhere:make cannot be had"),
        (["--recipe", "nowhere"], "expected package.module:function"),
        ([], "a MODEL file"),
        (["{model}", "--inversion", "inversion/non"], "no attack"),
        (["{model}", "--inversion", "membership/loss"], "expected inversion attacks"),
    ],
)
def test_bad_input_is_one_line(keepmum, files: Path, tmp_path: Path, monkeypatch, more, said) -> None:
    monkeypatch.chdir(tmp_path)
    words = [str(files / "model.skops") if word == "{model}" else word for word in more]
    if "--models" in words:
        at = words.index("--models")
        base = [w for w in command(files) if w not in ("--models", "6")]
        code, _, err = keepmum(*base, *words[:at], *words[at:])
    else:
        code, _, err = keepmum(*command(files, *words))
    assert code == 2
    assert said in err
    assert [line for line in err.splitlines() if "keepmum:" in line] == [err.strip().splitlines()[-1]]


@pytest.mark.parametrize("width", [120, 80, 60, 30])
def test_no_number_is_cut_off_however_narrow_the_terminal(width: int) -> None:
    from types import SimpleNamespace

    from rich.console import Console

    from keepmum.cli.harden import _table
    from keepmum.harden import Frontier, Row, Verdict
    from keepmum.stats import Estimate

    leaks = {"population": 0.01, "canary": 0.05, "population_label_only": 0.01, "canary_label_only": 0.05}
    shares = dict(zip(leaks, (0.13, 0.24, 0.35, 0.46), strict=True))
    numbers = {f"{name}_tpr_at_fpr_{rate}": Estimate(shares[name], 0.0, 1.0) for name, rate in leaks.items()}
    numbers["accuracy"] = Estimate(0.871, 0.8, 0.9)
    both = "training/leaf-size:records=10 + output/rounding:decimals=1"
    rows = (Row("none", Verdict.UNDEFENDED, metrics=numbers), Row(both, Verdict.MASKING, metrics=numbers))
    console = Console(width=width, file=io.StringIO(), color_system=None)
    _table(Frontier(rows, 10, 10, 6, 0), SimpleNamespace(result=console))
    told = console.file.getvalue()
    assert "…" not in told
    assert all(told.count(number) == 2 for number in ("87.1", "13", "24", "35", "46"))
