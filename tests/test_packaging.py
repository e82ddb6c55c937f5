"""What is installed: the licenses, the data, the marker of types, and a core without torch."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest

import keepmum

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = dict(
    line.split("==", 1)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)


TEXT = ("text", "gguf", "peft", "remote")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def required(extra: str = "") -> set[str]:
    """Packages that the core, or an extra, names."""
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in lines}


def test_one_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert keepmum.__version__ == PROJECT["version"] == metadata.version("keepmum")
    assert f"\nversion: {keepmum.__version__}\n" in citation
    assert f"## {keepmum.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_constraints_are_exact_pins_without_places() -> None:
    assert all(re.fullmatch(r"[\w.!+]+", version) for version in PINS.values())
    assert "keepmum" not in PINS
    assert "torch" in PINS


@pytest.mark.parametrize(
    "extra",
    ["", "dev", "docs", "onnx", "lightgbm", "torch", "parquet", "polars", "dask", "ray", "orl", *TEXT],
)
def test_everything_that_is_installed_is_pinned(extra: str) -> None:
    assert required(extra) - {normal(name) for name in PINS} - {"keepmum"} == set()


def test_the_core_is_small() -> None:
    assert required() & {"torch", "transformers", "onnxruntime", "xgboost", "lightgbm", "pyarrow", "polars"} == set()


def test_types_and_data_are_shipped() -> None:
    package = resources.files("keepmum")
    assert (package / "py.typed").is_file()
    assert (package / "datasets" / "adult.csv.xz").is_file()
    assert 0 < len((package / "datasets" / "prose.txt.xz").read_bytes()) < 400_000


def test_the_data_is_attributed() -> None:
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    assert "CC BY 4.0" in notice
    assert "10.24432/C5XW20" in notice
    assert "prose.txt.xz" in notice


def test_data_under_another_license_stays_in_the_repository() -> None:
    """The patients' data of the tests may not be sold, so that no distribution carries it."""
    assert "CC BY-SA 4.0" in (ROOT / "tests" / "data" / "README.md").read_text(encoding="utf-8")
    assert "tests/data/iwpc_warfarin.csv.gz" in (ROOT / "NOTICE").read_text(encoding="utf-8")
    (held,) = ROOT.glob("tests/data/iwpc*")
    assert held.stat().st_size < 150_000
    assert not list((ROOT / "src").rglob("*iwpc*"))
    targets = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert targets["wheel"] == {"packages": ["src/keepmum"]}
    assert set(targets["sdist"]) == {"include"}  # nothing else, which could bring a folder in
    assert all(re.fullmatch(r"/(?:src|[A-Z]+(?:\.md)?)", name) for name in targets["sdist"]["include"])  # from the root


def test_the_command_is_installed() -> None:
    (command,) = [e for e in metadata.entry_points(group="console_scripts") if e.name == "keepmum"]
    assert callable(command.load())


def test_every_target_of_make_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    explained = re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE)
    assert set(phony.split()) - set(explained) == set()
    assert not re.search(r"https?://|--index-url|/home/|/root/", makefile)
