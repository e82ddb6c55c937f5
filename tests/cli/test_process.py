"""The command as a process: what only a process shows."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEAVY = {"sklearn", "scipy", "pandas", "matplotlib", "skops", "jinja2", "pydantic", "torch"}


def run(*argv: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "keepmum", *argv],
        cwd=cwd, env={**os.environ, **environ}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_and_version_load_nothing_heavy(flag: str, tmp_path: Path) -> None:
    code = f"import sys; from keepmum.cli import main; main(['{flag}']); print(sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_json_is_the_last_line_and_nothing_else_is_on_stdout(files: Path, tmp_path: Path) -> None:
    scores = ("--scores", str(files / "leaky.csv"), str(files / "others.csv"))
    done = run("audit", *scores, "--attack", "membership/loss", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["schema_version"] == 1
    assert done.stdout.count("\n") == 1


def test_a_mistake_ends_with_2(tmp_path: Path) -> None:
    done = run("audit", "--sede", "1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "keepmum: Unknown option: --sede. Did you mean --seed?\n"


def test_no_color_codes_without_a_terminal(tmp_path: Path) -> None:
    assert "\x1b" not in run("list", "attacks", cwd=tmp_path).stdout


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m keepmum list attacks | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_a_real_ctrl_c(files: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "keepmum",
        "audit",
        "--scores",
        str(files / "leaky.csv"),
        str(files / "others.csv"),
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(600):
            if list(tmp_path.glob(".keepmum/runs/*/events.jsonl")) or process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command continues" in err
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False).returncode == 0
    assert len(list(tmp_path.glob(".keepmum/runs/*/report.html"))) == 1


def group(pid: int) -> set[int]:
    """Processes of a process group that are not yet gone."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, leader = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(leader) == pid and state != "Z":
            found.add(int(path.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads the process table of Linux")
def test_ctrl_c_while_workers_train_leaves_no_process_and_goes_on(files: Path, tmp_path: Path) -> None:
    import pandas as pd
    import skops.io
    from sklearn.ensemble import RandomForestClassifier

    train = pd.read_csv(files / "train.csv")
    model = RandomForestClassifier(60, random_state=0).fit(train[["a", "b", "c"]], train["y"])
    skops.io.dump(model, tmp_path / "model.skops")
    command = [
        sys.executable, "-m", "keepmum", "audit", "model.skops", "--members", str(files / "train.csv"),
        "--nonmembers", str(files / "heldout.csv"), "--label", "y", "--attack", "membership/rmia", "--shadows", "24",
        "--jobs", "2",
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            for _ in range(4800):
                if (
                    len(list(tmp_path.glob(".keepmum/runs/*/restricted/shadows/*.npy"))) > 1
                    or process.poll() is not None
                ):
                    break
                time.sleep(0.05)
            os.killpg(process.pid, signal.SIGINT)  # as a terminal does: workers get it, too
            _, err = process.communicate(timeout=60)
            assert process.returncode == 130, err
            assert "Traceback" not in err
            assert re.search(r"saved 0 of 1 attacks and \d+ shadow models in .*; the same command continues", err)
            for _ in range(100):
                if not group(process.pid):
                    break
                time.sleep(0.1)
            assert group(process.pid) == set()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    kept = list(tmp_path.glob(".keepmum/runs/*/restricted/shadows/*.npy"))
    assert 2 <= len(kept) < 12
    times = {path: path.stat().st_mtime_ns for path in kept}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob(".keepmum/runs/*/restricted/shadows/*.npy"))) == 12
    assert {path: path.stat().st_mtime_ns for path in kept} == times
    assert len(list(tmp_path.glob(".keepmum/runs/*/report.html"))) == 1


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    done = run("demo", "--out", "demo", "--json", cwd=tmp_path, OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    reports = json.loads(done.stdout.splitlines()[-1])
    assert {name: report["outcome"] for name, report in reports.items()} == {"leaky": "leak", "tight": "no_leak_found"}
    assert done.stderr.splitlines()[-1] == "Side by side: demo/comparison.html"
    for name in ("comparison.html", "leaky/report.html", "tight/report.html"):
        assert (tmp_path / "demo" / name).stat().st_size < 500_000
