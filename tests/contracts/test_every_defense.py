"""What every defense must do, whoever wrote it: found by discovery."""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from keepmum.defenses import Defense, OutputDefense, TrainingDefense, defense_classes, output, parse, training

CLASSES = defense_classes()
PAGES = Path(__file__).parents[2] / "docs" / "defenses"


def page(cls: type[Defense]) -> str:
    return (PAGES / f"{cls.id.replace('/', '-')}.md").read_text(encoding="utf-8")


def test_there_are_some_of_each_family() -> None:
    assert len([c for c in CLASSES if issubclass(c, OutputDefense)]) >= 9
    assert len([c for c in CLASSES if issubclass(c, TrainingDefense)]) >= 18
    assert len({c.id for c in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.id)
def test_it_is_declared_as_all_are(cls: type[Defense]) -> None:
    family, technique = cls.id.split("/")
    assert family == ("output" if issubclass(cls, OutputDefense) else "training")
    assert re.fullmatch(r"[a-z][a-z0-9-]*", technique)
    assert cls.__name__ in {"output": output, "training": training}[family].__all__
    assert is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert (inspect.getdoc(cls) or "").split("\n")[0].endswith(".")
    assert "References" in (inspect.getdoc(cls) or "") or not cls.references


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.id)
def test_its_name_says_its_settings(cls: type[Defense]) -> None:
    defense = cls()
    assert defense.name == cls.id
    assert parse(cls.id)[0].name == cls.id
    if isinstance(defense, OutputDefense):
        assert cls.id in defense.key


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.id)
def test_it_has_a_page_that_tells_how_to_use_it_and_where_it_comes_from(cls: type[Defense]) -> None:
    text = page(cls)
    assert f"`{cls.id}`" in text
    assert cls.__name__ in text
    for reference in cls.references:
        assert reference.partition(":")[2] in text
    for heading in ("## What it claims", "## What was measured", "## When it disappoints"):
        assert heading in text


def test_every_page_is_of_a_defense() -> None:
    known = {f"{cls.id.replace('/', '-')}.md" for cls in CLASSES} | {"index.md"}
    assert {path.name for path in PAGES.glob("*.md")} == known
