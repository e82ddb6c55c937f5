from __future__ import annotations

import json
from pathlib import Path

import pytest

from keepmum.cli import _runs


def test_a_model_file_is_audited_into_a_run_folder(keepmum, files: Path) -> None:
    code, out, err = keepmum(
        "audit", files / "model.skops", "--members", files / "train.csv", "--nonmembers", files / "heldout.csv",
        "--label", "y", "--attack", "membership/loss", "--attack", "structural/small-leaves", "--seed", "1",
    )  # fmt: skip
    assert code == 0, err
    (folder,) = Path(".keepmum/runs").iterdir()
    assert {"manifest.json", "events.jsonl", "report.json", "report.html"} <= {p.name for p in folder.iterdir()}
    assert out.splitlines()[-1] == f"Report: {folder / 'report.html'}"
    report = json.loads((folder / "report.json").read_text())
    assert [f["id"] for f in report["findings"]] == ["membership/loss", "structural/small-leaves"]
    assert report["outcome"] == "leak"
    assert report["reproducibility"]["model"] == str(files / "model.skops")


def test_json_is_the_last_line_of_stdout_and_prose_goes_to_stderr(keepmum, files: Path) -> None:
    scores = ("--scores", files / "leaky.csv", files / "others.csv")
    code, out, err = keepmum("audit", *scores, "--attack", "membership/loss", "--out", "run", "--json")
    assert code == 0, err
    assert out.count("\n") == 1
    assert json.loads(out)["outcome"] == "leak"
    assert "LEAK" in err
    assert "run/report.html" in err
    code, out, err = keepmum("--json", "-q", "audit", *scores, "--attack", "membership/loss", "--out", "run")
    assert (code, err) == (0, "")
    assert json.loads(out)["outcome"] == "leak"


def test_what_the_flags_leave_out_comes_from_the_project_file(keepmum, files: Path, tmp_path: Path) -> None:
    (tmp_path / "keepmum.toml").write_text(
        f'[target]\nmodel = "{files}/model.skops"\n'
        f'[data]\nmembers = "{files}/train.csv"\nnonmembers = "{files}/heldout.csv"\nlabel = "y"\n'
        '[audit]\nseed = 5\nprior = 0.2\nattacks = ["membership/loss"]\nout = "here"\n'
    )
    code, out, err = keepmum("audit", "--prior", "0.3", "--json")
    assert code == 0, err
    settings = json.loads(out)["settings"]
    assert (settings["seed"], settings["prior"]) == (5, 0.3)
    assert (tmp_path / "here" / "report.html").is_file()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--engine", "spark"), "engine"),
        (("--address", "10.0.0.1:1"), "expected no address for the local engine, got 10.0.0.1:1"),
        (("--engine", "dask"), "pip install 'keepmum[dask]'"),
    ],
)
def test_engines_that_cannot_be_used(
    keepmum, files: Path, argv: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepmum.training.engines.dask.find_spec", lambda _: None)
    code, out, err = keepmum("audit", *records(files), *argv)
    assert (code, out) == (2, "")
    assert message in err
    assert not Path(".keepmum/runs").exists()


def test_slices_of_a_column(keepmum, files: Path) -> None:
    scores = ("--scores", files / "leaky.csv", files / "others.csv")
    code, out, err = keepmum("audit", *scores, "--attack", "membership/loss", "--slice", "group", "--json")
    assert code == 0, err
    groups = {(s["column"], s["value"]) for s in json.loads(out)["findings"][0]["slices"]}
    assert {("group", "a"), ("group", "b")} <= groups


def test_a_spent_budget_is_incomplete(keepmum, files: Path) -> None:
    scores = ("--scores", files / "tight.csv", files / "others.csv")
    code, out, err = keepmum("audit", *scores, "--budget", "0.000001s", "--json")
    assert code == 3, err
    assert {f["outcome"] for f in json.loads(out)["findings"]} & {"skipped"}


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(
    keepmum, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from keepmum.attacks.membership.loss import Loss

    command = (
        "audit",
        "--scores",
        files / "leaky.csv",
        files / "others.csv",
        "--attack",
        "membership/*",
        "--json",
        "-q",
    )
    with monkeypatch.context() as patched:
        patched.setattr(Loss, "signal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        code, out, err = keepmum(*command)
    (folder,) = Path(".keepmum/runs").iterdir()
    saved = _runs.Run(folder, {}).saved
    planned = len(json.loads((folder / "manifest.json").read_text())["attacks"])
    assert code == 130
    assert out == ""
    assert 0 < saved < planned
    assert f"saved {saved} of {planned} attacks" in err
    assert f"keepmum audit --scores {files}/leaky.csv" in err
    assert not (folder / "report.json").exists()
    before = (folder / "events.jsonl").read_text()

    assert keepmum("audit", *command[1:4], "--seed", "9", "--attack", "membership/loss", "-q")[0] == 0
    assert len(list(Path(".keepmum/runs").iterdir())) == 2, "other settings are another audit"

    code, out, err = keepmum(*command)
    assert code == 0, err
    assert len(list(Path(".keepmum/runs").iterdir())) == 2
    assert (folder / "report.json").is_file()
    assert (folder / "events.jsonl").read_text().startswith(before)
    direct = keepmum(*command, "--out", "direct")[1]
    assert json.loads(out)["findings"] == json.loads(direct)["findings"]


def test_ctrl_c_before_anything_is_saved_writes_nothing(
    keepmum, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keepmum.tables.read_answers", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    code, _, err = keepmum("audit", "--scores", files / "leaky.csv", files / "others.csv")
    assert code == 130
    assert "interrupted" in err
    assert list(tmp_path.iterdir()) == []


def test_jobs_are_passed_on(keepmum, files: Path) -> None:
    scores = ("--scores", files / "tight.csv", files / "others.csv")
    assert keepmum("audit", *scores, "--attack", "membership/loss", "--seed", "1", "--jobs", "1", "-q")[0] == 0
    assert keepmum("audit", *scores, "--jobs", "0")[0] == 2


def test_plan_tells_what_would_be_done_and_writes_nothing(keepmum, files: Path, tmp_path: Path) -> None:
    code, out, err = keepmum("plan", "--scores", files / "tight.csv", files / "others.csv")
    assert code == 0, err
    assert "membership/loss" in out
    assert "needs the model itself" in out or "needs values access" in out
    assert "tpr_at_fpr_0.001 will be refused" in out
    assert list(tmp_path.iterdir()) == []
    code, out, _ = keepmum("plan", "--scores", files / "tight.csv", files / "others.csv", "--json", "-q")
    assert json.loads(out)["members"] > 350


def records(files: Path) -> tuple[object, ...]:
    data = ("--members", files / "train.csv", "--nonmembers", files / "heldout.csv", "--label", "y")
    return (files / "model.skops", *data)


def test_shadow_models_stop_and_go_on(keepmum, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keepmum.shadows import ShadowStore

    command = ("audit", *records(files), "--shadows", "4", "--attack", "membership/rmia", "--json", "-q")
    keep, kept = ShadowStore._keep, []

    def interrupted(self, key, signals):
        kept.append(keep(self, key, signals))
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ShadowStore, "_keep", interrupted)
        assert keepmum(*command)[0] == 130
    (folder,) = Path(".keepmum/runs").iterdir()
    assert len(list((folder / "restricted" / "shadows").glob("*.npy"))) == len(kept) == 1
    code, out, err = keepmum(*command)
    assert code == 0, err
    assert len(list(Path(".keepmum/runs").iterdir())) == 1
    assert json.loads(out)["findings"][0]["outcome"] == "leak"
    direct = keepmum(*command, "--shadow-store", "store", "--out", "direct")[1]
    assert json.loads(out)["findings"] == json.loads(direct)["findings"]
    assert len(list(Path("store").glob("*.npy"))) == 2


def test_plan_tells_the_cost_of_shadow_models(keepmum, files: Path) -> None:
    code, out, err = keepmum("plan", *records(files), "--shadows", "16", "--attack", "membership/rmia", "--jobs", "2")
    assert code == 0, err
    assert "16 shadow models, at " in out
    assert " s on 2 workers.\nFleets of 2 models, trained one after another: " in out
    assert "What they say takes 26 kB on the disk; a worker takes about " in out
    few = ("plan", *records(files), "--budget", "1h", "--attack", "membership/rmia")
    assert "8 shadow models, as many as fit into the budget, at " in keepmum(*few)[1]
    assert keepmum("plan", *records(files), "--shadows", "5")[0] == 2


def test_pictures_are_put_into_the_report_by_a_flag_that_changes_nothing_else(tmp_path: Path) -> None:
    from keepmum.cli._inputs import _options, _request
    from keepmum.settings import AuditSettings, Settings, load

    plain, shown = Settings(), Settings(audit=AuditSettings(include_restricted=True))
    assert [_options(settings)["include_restricted"] for settings in (plain, shown)] == [False, True]
    assert _request(plain, {}) == _request(shown, {})
    (tmp_path / "keepmum.toml").write_text("[audit]\ninclude_restricted = true\n")
    assert load(environ={}, folder=tmp_path).audit.include_restricted


def test_the_terminal_tells_where_pictures_are(keepmum, files: Path) -> None:
    scores = ("--scores", files / "leaky.csv", files / "others.csv")
    line = "Pictures, with people of the data: run/restricted/gallery.html"
    _, out, _ = keepmum("audit", *scores, "--attack", "membership/loss", "--out", "run", "--include-restricted")
    assert line not in out
    (Path("run") / "restricted" / "gallery.html").write_text("pictures")
    _, out, _ = keepmum("audit", *scores, "--attack", "membership/loss", "--out", "run")
    assert out.splitlines()[-2] == line
