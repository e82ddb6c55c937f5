"""The registry: pairs alike, a fair coin, a seal."""

from __future__ import annotations

import json
import stat
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from scipy.stats import binomtest

from keepmum.canaries import KINDS, Mixed, Registry, load_registry, make
from keepmum.canaries.registry import seal
from keepmum.errors import ConfigError, DataError


def test_each_cell_is_filled():
    registry = make(("pin", "key"), (1, 4), per_cell=3, seed=1)
    cells = Counter((secret.kind, secret.repeats) for secret in registry.planted)
    assert cells == {("pin", 1): 3, ("pin", 4): 3, ("key", 1): 3, ("key", 4): 3}
    assert {twin.repeats for twin in registry.twins} == {0}
    assert [p.kind for p in registry.planted] == [t.kind for t in registry.twins]
    assert Counter(registry.documents) == {secret.text: secret.repeats for secret in registry.planted}


def test_no_name_and_no_secret_of_a_kind_comes_twice():
    registry = make(("pin",), (1, 2), per_cell=150, seed=2)
    everyone = (*registry.planted, *registry.twins)
    assert len({s.secret for s in everyone}) == len({s.prefix for s in everyone}) == 600


def test_the_coin_is_fair_and_depends_on_nothing_else():
    """Which of a pair is planted: the first as often as the second, whatever was drawn."""
    heads = pairs = 0
    for seed in range(20):
        registry = make(("key",), (1,), per_cell=50, seed=seed)
        heads += sum(p.secret < t.secret for p, t in zip(registry.planted, registry.twins, strict=True))
        pairs += 50
    assert binomtest(heads, pairs).pvalue > 1e-3


def test_the_same_seed_the_same_canaries():
    assert make(seed=5, per_cell=1) == make(seed=5, per_cell=1)
    assert make(seed=5, per_cell=1) != make(seed=6, per_cell=1)


def test_what_an_audit_asks_about():
    secrets = make(("pin", "card"), (1,), per_cell=4).secrets
    assert secrets.spaces == {"pin": 1e4, "card": 1e9}
    assert secrets.alphabets == {"pin": KINDS["pin"].alphabets}
    assert len(secrets.split.members) == len(secrets.split.nonmembers) == 8


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Registry, Path]:
    mixed = Mixed("a.txt", "0" * 64, "b.txt", "1" * 64, 10, 20)
    registry = replace(make(per_cell=1, seed=3), mixed=mixed)
    registry.save(tmp_path / "canaries.json")
    return registry, tmp_path / "canaries.json"


def test_it_comes_back_as_it_was(saved):
    registry, path = saved
    assert load_registry(path) == registry
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_it_is_not_written_over_by_another(saved):
    registry, path = saved
    with pytest.raises(ConfigError, match="is there already"):
        registry.save(path)
    replace(registry, mixed=None).save(path, anew=False)
    assert load_registry(path).mixed is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("change", ["secret", "repeats", "coin", "mixed", "seed"])
def test_a_changed_registry_is_refused(saved, change):
    _, path = saved
    content = json.loads(path.read_text())
    pair = content["pairs"][0]
    if change == "secret":
        pair["planted"]["secret"] = " 0000"
    elif change == "repeats":
        pair["repeats"] += 1
    elif change == "coin":
        pair["planted"], pair["twin"] = pair["twin"], pair["planted"]
    elif change == "mixed":
        content["mixed"] = None
    else:
        content["seed"] += 1
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="changed since it was sealed"):
        load_registry(path)


def sealed(content: dict) -> str:
    return json.dumps({**content, "seal": seal(content)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no registry"),
        ("[]", "is no registry"),
        ('"x"', "is no registry"),
        ("{}", "is no registry"),
        ('{"canaries": 1', "is no registry"),
        (sealed({"canaries": 99}), "version 99, expected 1: update"),
        (sealed({"canaries": 1}), "no whole registry"),
        (sealed({"canaries": 1, "seed": 0, "mixed": None, "pairs": [3]}), "no whole registry"),
        (
            sealed(
                {
                    "canaries": 1,
                    "seed": 0,
                    "mixed": None,
                    "pairs": [
                        {
                            "kind": "x",
                            "repeats": 1,
                            "planted": {"prefix": "a", "secret": "b"},
                            "twin": {"prefix": "a", "secret": "c"},
                        }
                    ],
                }
            ),
            "a kind 'x' that is not known",
        ),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, message: str):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        load_registry(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(DataError, match="is not there: keepmum canary make"):
        load_registry(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"kinds": ("pim",)}, "kinds of canaries among pin, phone.*got 'pim'"),
        ({"kinds": ()}, "got none"),
        ({"kinds": ("pin", "pin")}, "some twice"),
        ({"repeats": (0,)}, "repeats of at least 1"),
        ({"repeats": ()}, "got none"),
        ({"repeats": (2, 2)}, "different repeats"),
        ({"per_cell": 0}, "at least one pair"),
        ({"kinds": ("pin",), "repeats": (1,), "per_cell": 1251}, "at most 1,250 pairs a cell of the kind pin"),
    ],
)
def test_what_cannot_be_made(asked, message):
    with pytest.raises(ConfigError, match=message):
        make(**asked)
