"""``keepmum canary``: a registry, mixed data, and one line for whatever is wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from keepmum.canaries import load_registry


@pytest.fixture
def ready(keepmum, tmp_path: Path):
    """A registry and a file of documents."""
    (tmp_path / "train.txt").write_text("one\ntwo\nthree\n")
    code, out, _ = keepmum("canary", "make", "-o", "r.json", "--kind", "pin,key", "--repeats", "1,2")
    assert code == 0
    assert "24 canaries to plant and as many twins: pin, key; 36 documents." in out
    return keepmum


def test_make_and_mix(ready, tmp_path: Path) -> None:
    registry = load_registry(tmp_path / "r.json")
    assert stat.S_IMODE((tmp_path / "r.json").stat().st_mode) == 0o600
    code, out, err = ready("canary", "mix", "train.txt", "--registry", "r.json", "-o", "mixed.txt", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["mixed"]["into"] == "mixed.txt"
    assert "36 documents with canaries among the 3" in err
    long = [secret for secret in registry.planted if len(secret.secret.strip()) > 6]  # four digits stand in any path
    assert long
    assert not any(secret.secret.strip() in out + err for secret in long), "no secret is shown"
    lines = (tmp_path / "mixed.txt").read_text().splitlines()
    assert len(lines) == 39
    assert [line for line in lines if line in ("one", "two", "three")] == ["one", "two", "three"]
    assert load_registry(tmp_path / "r.json").mixed is not None


def test_a_seed_is_drawn_unless_said(keepmum, tmp_path: Path) -> None:
    for name, seed in (("a", ()), ("b", ()), ("c", ("--seed", "7")), ("d", ("--seed", "7"))):
        assert keepmum("canary", "make", "-o", f"{name}.json", "--per-cell", "1", *seed)[0] == 0
    a, b, c, d = (load_registry(tmp_path / f"{name}.json") for name in "abcd")
    assert a != b
    assert c == d


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["canary"], "requires an argument"),
        (["canary", "mke"], "Choose from"),
        (["canary", "make"], "expected --out FILE, for the registry"),
        (["canary", "make", "-o", "r.json"], "r.json is there already"),
        (["canary", "make", "-o", "no/q.json"], "no/q.json: expected a folder to write into, no is none"),
        (["canary", "make", "-o", "q.json", "--kind", "pim"], "expected kinds of canaries among pin"),
        (["canary", "make", "-o", "q.json", "--repeats", "1,x"], "--repeats: expected whole numbers"),
        (["canary", "make", "-o", "q.json", "--repeats", "0"], "repeats of at least 1"),
        (["canary", "make", "-o", "q.json", "--per-cell", "0"], "at least one pair"),
        (["canary", "make", "-o", "q.json", "--per-cell", "x"], "--per-cell"),
        (["canary", "make", "-o", "q.json", "--seed", "-1"], "--seed: expected 0 or more"),
        (["canary", "make", "train.txt", "-o", "q.json"], "expected no data with make"),
        (["canary", "make", "-o", "q.json", "--field", "x"], "--field goes with keepmum canary mix, not with make"),
        (["canary", "mix", "train.txt", "-o", "m.txt"], "expected keepmum canary mix DATA --registry FILE"),
        (["canary", "mix", "--registry", "r.json", "-o", "m.txt"], "expected keepmum canary mix DATA"),
        (["canary", "mix", "train.txt", "--registry", "r.json"], "expected --out FILE, for the mixed data"),
        (["canary", "mix", "train.txt", "--registry", "r.json", "-o", "train.txt"], "train.txt is there already"),
        (["canary", "mix", "train.txt", "--registry", "no.json", "-o", "m.txt"], "no.json, which is not there"),
        (["canary", "mix", "train.txt", "--registry", "train.txt", "-o", "m.txt"], "train.txt is no registry"),
        (["canary", "mix", "no.txt", "--registry", "r.json", "-o", "m.txt"], "no.txt, which is not there"),
        (["canary", "mix", "train.txt", "--registry", "r.json", "-o", "m.csv"], "expected a file .txt to write"),
        (["canary", "mix", "train.txt", "--registry", "r.json", "-o", "m.txt", "--seed", "1"], "--seed goes with"),
    ],
)
def test_one_clear_line(ready, tmp_path: Path, argv: list[str], message: str) -> None:
    before = sorted(tmp_path.rglob("*"))
    code, out, err = ready(*argv)
    assert (code, out) == (2, ""), err
    assert message in err
    assert err.startswith("keepmum: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
