"""``keepmum audit --behind``: a model as it is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def command(files: Path, *more: object) -> list[object]:
    sides = ["--members", files / "train.csv", "--nonmembers", files / "heldout.csv", "--label", "y"]
    return ["audit", files / "model.skops", *sides, "--no-progress", *more]


def test_what_is_audited_is_what_is_served_and_shadow_models_stand_behind_it_too(keepmum, files: Path) -> None:
    behind = [
        "--behind",
        "output/rounding:decimals=1 + output/top-k:k=1",
        "--shadows",
        4,
        "--attack",
        "membership/lira-offline",
    ]
    code, out, err = keepmum(*command(files, *behind, "--json", "--out", "run"))
    assert code == 0, err
    told = json.loads(out[out.index("{") :])
    assert "answers pass output/rounding:decimals=1" in json.dumps(told)
    assert "answers pass output/top-k" in json.dumps(told)
    ran = {f["id"]: f["outcome"] for f in told["findings"]}
    assert ran["membership/lira-offline"] != "not_applicable"
    labels = [p for p in Path("run").rglob("*.json") if "recipe" in p.read_text()]
    assert any("BehindOutput" in path.read_text() for path in labels)


def test_labels_alone_leave_attacks_on_labels(keepmum, files: Path) -> None:
    code, out, err = keepmum(
        *command(files, "--behind", "output/label-only", "--attack", "membership/*", "--json", "--out", "run")
    )
    assert code == 0, err
    findings = json.loads(out[out.index("{") :])["findings"]
    ran = {f["id"]: f for f in findings}
    assert ran["membership/loss"]["outcome"] == "not_applicable"
    assert ran["membership/correctness"]["outcome"] not in ("not_applicable", "error")


def test_no_secret_is_written_down(keepmum, files: Path) -> None:
    """Whoever reads the report could take the noise out of the served answers."""
    behind = "output/keyed-noise:scale=0.1, secret=b'sixteen bytes or more' + output/rounding:decimals=1"
    words = command(files, "--behind", behind, "--attack", "membership/loss", "--shadows", 0, "--out", "run")
    code, _, err = keepmum(*words)
    assert code == 0, err
    assert not [p for p in Path("run").rglob("*") if p.is_file() and b"sixteen bytes" in p.read_bytes()]
    told = json.loads(Path("run", "report.json").read_text())["reproducibility"]["command"]
    assert "secret=…+ output/rounding:decimals=1" in told


def test_a_run_behind_a_secret_goes_on_and_another_defense_is_another_run(keepmum, files: Path) -> None:
    base = command(files, "--attack", "membership/loss", "--shadows", 0)
    for behind in ("output/keyed-noise", "output/rounding"):
        code, _, err = keepmum(*base, "--behind", behind, "--out", behind.replace("/", "-"))
        assert code == 0, err
    same = keepmum(*base, "--behind", "output/keyed-noise", "--out", "again")
    assert same[0] == 0
    first, again = (json.loads(Path(name, "report.json").read_text()) for name in ("output-keyed-noise", "again"))
    assert first["findings"][0]["metrics"] == again["findings"][0]["metrics"]
    other = json.loads(Path("output-rounding", "report.json").read_text())
    assert (
        other["reproducibility"]["request"]
        != first["reproducibility"]["request"]
        == again["reproducibility"]["request"]
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--behind", "training/l2"], "expected output defenses, got training/l2: training is over"),
        (["--behind", "output/roundin"], "did you mean 'output/rounding'"),
        (["--behind", "output/rounding:decimals=77"], "expected 0 to 12 decimals"),
        (["--behind", "output/label-only + output/rounding"], "needs scores or values access"),
    ],
)
def test_bad_input_is_one_line(keepmum, files: Path, words, said) -> None:
    code, _, err = keepmum(*command(files, *words))
    assert code == 2
    assert said in err
    assert len([line for line in err.splitlines() if "keepmum:" in line]) == 1


def test_where_it_has_no_meaning_it_is_refused(keepmum, files: Path) -> None:
    scores = ["--scores", files / "leaky.csv", files / "others.csv"]
    code, _, err = keepmum("audit", *scores, "--behind", "output/rounding")
    assert (code, "recorded answers" in err) == (2, True)
    code, _, err = keepmum("harden", *command(files, "--behind", "output/rounding")[1:])
    assert (code, "name it with --defense" in err) == (2, True)
