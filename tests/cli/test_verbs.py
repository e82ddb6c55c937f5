"""The verbs that work on finished audits, and those that need none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from keepmum.attacks import attack_classes
from keepmum.cli._app import VERBS
from keepmum.defenses import defense_classes
from keepmum.policy import METRICS, POLICIES


@pytest.fixture
def here(audited: Path, tmp_path: Path) -> Path:
    """The two finished runs, in the working folder."""
    shutil.copytree(audited / ".keepmum", tmp_path / ".keepmum")
    return tmp_path


@pytest.mark.parametrize("verb", VERBS)
def test_help(keepmum, verb: str) -> None:
    code, out, _ = keepmum(verb, "--help")
    assert code == 0
    assert out.startswith(f"Usage: keepmum {verb}")
    assert "--json" in out


def test_the_root_lists_every_verb_in_order(keepmum) -> None:
    code, out, _ = keepmum("--help")
    assert code == 0
    places = [out.index(f"│ {verb} ") for verb in VERBS]
    assert places == sorted(places)
    assert keepmum() == (0, out, "")


def test_every_option_says_what_it_does() -> None:
    from keepmum.cli._app import build

    for verb in VERBS:
        for argument in build(verb)[verb].assemble_argument_collection():
            if argument.parse and not argument.children:
                assert argument.parameter.help, f"{verb} {argument.name}"


@pytest.mark.parametrize(("run", "code", "word"), [("leaky", 1, "FAIL"), ("tight", 0, "PASS")])
def test_gate(keepmum, here: Path, run: str, code: int, word: str) -> None:
    got, out, _ = keepmum("gate", run)
    assert got == code
    assert out.startswith(f"{word} (default)\n  ")


def test_gate_takes_a_folder_a_file_or_the_newest_run(keepmum, here: Path) -> None:
    runs = here / ".keepmum" / "runs"
    assert keepmum("gate", runs / "leaky")[0] == keepmum("gate", runs / "leaky" / "report.json")[0] == 1
    assert keepmum("gate")[0] == 0, "tight sorts after leaky"


def test_gate_reads_the_policy_of_the_project_or_the_one_named(keepmum, here: Path) -> None:
    strict = "[policy]\nfail_on = []\nmax = { auc = 0.01 }\n"
    (here / "keepmum.toml").write_text(strict)
    assert keepmum("gate", "tight")[0] == 1
    assert keepmum("gate", "tight", "--policy", "default")[0] == 0
    (here / "lax.toml").write_text("[policy]\nfail_on = []\nmax = { auc = 1.0 }\n")
    assert keepmum("gate", "leaky", "--policy", "lax.toml")[0] == 0
    assert keepmum("gate", "tight", "--policy", "nope")[0] == 2


def test_gate_is_inconclusive_about_what_was_refused(keepmum, here: Path) -> None:
    (here / "keepmum.toml").write_text('[policy]\nmax = { "tpr_at_fpr_0.001" = 0.5 }\n')
    code, out, _ = keepmum("gate", "tight")
    assert code == 3
    assert "was refused" in out


def test_gate_json(keepmum, here: Path) -> None:
    code, out, err = keepmum("gate", "leaky", "--json")
    said = json.loads(out)
    assert (said["outcome"], said["policy"], said["exit_code"], code) == ("fail", "default", 1, 1)
    assert said["reasons"]
    assert "FAIL" in err


def test_report_writes_by_extension(keepmum, here: Path) -> None:
    names = ("x.html", "x.json", "x.md", "x.sarif", "x.junit.xml", "x.csv")
    code, out, _ = keepmum("report", "leaky", *(word for name in names for word in ("-o", name)))
    assert (code, out) == (0, "")
    assert all((here / name).stat().st_size > 200 for name in names)
    assert json.loads((here / "x.json").read_text())["outcome"] == "leak"


def test_report_writes_nothing_when_one_ending_is_unknown(keepmum, here: Path) -> None:
    code, _, err = keepmum("report", "leaky", "-o", "x.html", "-o", "x.pdf")
    assert code == 2
    assert "x.pdf" in err
    assert not (here / "x.html").exists()


def test_report_shows_and_prints(keepmum, here: Path) -> None:
    code, out, _ = keepmum("report", "leaky")
    assert code == 0
    assert "LEAK" in out
    code, out, _ = keepmum("report", "leaky", "--json", "-q")
    assert json.loads(out) == json.loads((here / ".keepmum/runs/leaky/report.json").read_text())


def test_report_schema_describes_the_report(keepmum, here: Path) -> None:
    import jsonschema

    code, out, _ = keepmum("report", "--schema")
    assert code == 0
    jsonschema.validate(json.loads((here / ".keepmum/runs/leaky/report.json").read_text()), json.loads(out))


def test_compare(keepmum, here: Path) -> None:
    code, out, _ = keepmum("compare", "leaky", "tight", "-o", "both.html")
    assert code == 0
    assert "membership/loss" in out
    assert "better" in out
    assert "<html" in (here / "both.html").read_text()
    assert json.loads(keepmum("compare", "leaky", "tight", "--json", "-q")[1])["direction"] == "better"
    code, out, err = keepmum("compare", "leaky", "tight", "-o", "both.pdf")
    assert (code, out) == (2, "")
    assert ".html" in err
    code, out, err = keepmum("compare", "leaky", "tight", "--metric", "area")
    assert (code, out) == (2, "")
    assert "no metric 'area'" in err


def test_check_stops_at_a_pickle_and_passes_a_tree(keepmum, files: Path) -> None:
    code, out, _ = keepmum("check", files / "model.pkl")
    assert (code, "stop" in out) == (1, True)
    code, out, _ = keepmum("check", files / "model.skops")
    assert (code, "DecisionTreeClassifier" in out) == (0, True)
    assert keepmum("check", files / "train.csv")[0] == 3


def test_check_a_folder(keepmum, files: Path) -> None:
    code, out, _ = keepmum("check", files, "--json")
    assert code == 1
    said = json.loads(out)
    assert {Path(row["file"]).name for row in said if row["severity"] == "stop"} == {"model.pkl"}


@pytest.mark.parametrize("what", ["attacks", "defenses", "policies", "extras"])
def test_list(keepmum, what: str) -> None:
    known = {
        "attacks": {cls.id for cls in attack_classes()},
        "defenses": {cls.id for cls in defense_classes()},
        "policies": set(POLICIES),
        "extras": {
            *("onnx", "xgboost", "lightgbm", "torch", "parquet", "polars", "dask", "ray", "images", "orl"),
            *("text", "gguf", "peft", "remote", "presidio", "dp", "tune"),
        },
    }[what]
    code, out, _ = keepmum("list", what, "--json", "-q")
    rows = json.loads(out)
    assert code == 0
    assert {next(iter(row.values())) for row in rows} == known
    assert known <= set(keepmum("list", what)[1].split())


def test_list_runs(keepmum, here: Path) -> None:
    (here / ".keepmum/runs/leaky/report.json").unlink()
    rows = {row["run"]: row["state"] for row in json.loads(keepmum("list", "runs", "--json", "-q")[1])}
    assert rows["tight"] == "finished"
    assert rows["leaky"].startswith("interrupted")
    assert "not finished" in keepmum("gate", "leaky")[2]


def test_extras_are_those_of_the_package() -> None:
    import tomllib

    from keepmum.cli.list import EXTRAS

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert set(EXTRAS) == set(project["optional-dependencies"]) - {"dev", "docs"}


def test_a_missing_extra_is_told_with_its_line(keepmum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keepmum.cli.list.EXTRAS", {"onnx": "surely_not_installed"})
    assert "pip install 'keepmum[onnx]'" in keepmum("list", "extras")[1]


@pytest.mark.parametrize("cls", attack_classes(), ids=lambda cls: cls.id)
def test_every_attack_is_explained(keepmum, cls: type) -> None:
    code, out, _ = keepmum("explain", f"{cls.id}")
    assert code == 0
    assert f"access: {cls().access}" in out
    assert len(out.split("\n\n")[2]) > 60, "the attacker's story"
    short = cls.id.split("/")[1]
    if sum(other.id.split("/")[1] == short for other in attack_classes()) > 1:
        assert keepmum("explain", short)[0] == 2
        assert "give the whole id" in keepmum("explain", short)[2]
    else:
        assert keepmum("explain", short)[1] == out


def test_ids_of_findings_and_verdicts_are_explained(keepmum) -> None:
    assert keepmum("explain", "attribute/lomia:race")[1] == keepmum("explain", "attribute/lomia")[1]
    told = keepmum("explain", "training/selena")[1]
    assert "left out of L of them" in " ".join(told.split())
    assert "arXiv:2110.08324" in told
    assert keepmum("explain", "selena")[1] == keepmum("explain", "training/selena:models=4,without=1")[1] == told
    assert "remembers people it was trained on" in keepmum("explain", "record-level")[1]


@pytest.mark.parametrize(
    "word", [*METRICS, *POLICIES, "leak", "no_leak_found", "inconclusive", "membership/loss:per-class"]
)
def test_words_are_explained(keepmum, word: str) -> None:
    code, out, _ = keepmum("explain", word, "--json")
    assert code == 0
    assert len(json.loads(out.splitlines()[-1])["text"]) > 30


def test_variants_are_explained_with_their_attack(keepmum) -> None:
    code, out, _ = keepmum("explain", "membership/lira:fixed-variance")
    assert code == 0
    assert out == keepmum("explain", "membership/lira")[1]
    assert "by name: membership/lira:per-record-variance; membership/lira:per-class-variance" in out
    assert keepmum("explain", "membership/lira:no-variance")[0] == 2


def test_outcomes_are_all_explained() -> None:
    from keepmum.cli.explain import OUTCOMES
    from keepmum.findings import Outcome

    assert set(OUTCOMES) == set(Outcome)


def test_doctor_tests_itself(keepmum) -> None:
    code, out, _ = keepmum("doctor", "--json", "-q")
    said = json.loads(out)
    assert code == 0
    assert said["self_test"]["passed"] is True
    assert said["packages"]["numpy"]


def test_doctor_tells_when_the_instrument_is_broken(keepmum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "keepmum.attacks.membership.loss.Loss.signal", lambda self, target, records: records.X[:, 0] * 0.0
    )
    code, out, _ = keepmum("doctor")
    assert code == 3
    assert "WRONG" in out
