"""Each example runs, and shows what it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
KEEPMUM = Path(sys.executable).with_name("keepmum")

SHOWN = {
    "ml_engineer.py": ("This model gives away who was in its training data.", "membership/loss", "sex", "report.html"),
    "output_checker.sh": ("the gate ended with", "report.html"),
    "privacy_engineer.py": ("tree: fail", "regression: "),
    "researcher.py": ("membership/top-two-gap", "leak", "control"),
}


def test_every_example_is_run_and_listed() -> None:
    scripts = {path.name for path in EXAMPLES.iterdir() if path.suffix in (".py", ".sh")}
    assert scripts == set(SHOWN)
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in scripts if f"`{name}`" not in listed] == []


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(SHOWN))
def test_example(script: str, tmp_path: Path) -> None:
    interpreter = "bash" if script.endswith(".sh") else sys.executable
    environment = os.environ | {"KEEPMUM": str(KEEPMUM), "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    run = subprocess.run(
        [interpreter, str(EXAMPLES / script), str(tmp_path / "out")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    for words in SHOWN[script]:
        assert words in run.stdout
