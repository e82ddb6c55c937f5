"""`import keepmum` loads numpy and the standard library, so that it costs nobody anything."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

LOADED = "import json, sys; {what}; print(json.dumps(sorted(m for m in sys.modules)))"
HEAVY = {
    "cyclopts",
    "jinja2",
    "joblib",
    "lightgbm",
    "matplotlib",
    "narwhals",
    "onnxruntime",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "rich",
    "scipy",
    "scipy.stats",
    "skops",
    "sklearn",
    "torch",
    "transformers",
    "xgboost",
}


def loaded(what: str) -> set[str]:
    """Modules that a fresh interpreter holds after it ran ``what``."""
    run = subprocess.run(
        [sys.executable, "-c", LOADED.format(what=what)], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(run.stdout))


def test_import_loads_numpy_and_the_standard_library_alone() -> None:
    before = {name.split(".")[0] for name in loaded("pass")}
    gained = {name.split(".")[0] for name in loaded("import keepmum")} - before - set(sys.stdlib_module_names)
    assert gained == {"keepmum", "numpy"}


@pytest.mark.parametrize("what", ["import keepmum.targets", "import keepmum.attacks", "import keepmum.datasets"])
def test_no_heavy_package_is_loaded_before_it_is_used(what: str) -> None:
    assert not loaded(what) & HEAVY


def test_the_test_can_fail() -> None:
    assert "scipy.stats" in loaded("import scipy.stats") & HEAVY


def test_the_entry_of_the_command_line_loads_nothing_heavy() -> None:
    assert not loaded("import keepmum.cli") & (HEAVY - {"cyclopts"})
