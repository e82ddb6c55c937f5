"""``keepmum audit --url``: a served model from the command line; what was answered is not asked again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import text_zoo
from keepmum.canaries import make

sys.path.insert(0, str(Path(__file__).parent.parent / "targets"))
from served import MODEL, Server, serving

KEY = "sk-0123456789abcdef"
GREEDY, SAMPLED = "--attack=extraction/greedy", "--attack=extraction/sampled"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of texts over a model that knows the canaries of ``r.json``."""
    registry = make(("pin",), (1, 4), 6, 0)
    registry.save(tmp_path / "r.json")
    with serving(text_zoo.memorizer(registry.secrets), echo=False, logprobs=False) as server:
        yield server


@pytest.fixture
def audit(keepmum, server: Server):
    def run(*more: str) -> tuple[int, str, str]:
        return keepmum("audit", "--url", server.url, "--served-model", MODEL, "--secrets", "r.json", *more)

    return run


def runs(folder: Path) -> list[Path]:
    return sorted((folder / ".keepmum" / "runs").iterdir())


def taken(server: Server) -> list[dict]:
    """Requests that were not refused: what a server refuses today it is asked for again tomorrow."""
    return [body for _, body in server.asked if body.get("logprobs") is None]


def answers(run: Path) -> int:
    return sum(1 for line in (run / "restricted" / "answers.jsonl").read_text().splitlines() if '"status": 200' in line)


def test_a_limit_that_was_raised_asks_for_the_rest_alone(audit, server: Server, tmp_path: Path) -> None:
    code, out, err = audit(GREEDY, SAMPLED, "--max-queries", "90")
    assert code == 3
    assert "of max_queries are left" in " ".join(out.split())
    assert "Answers are missing. The same command asks for those alone" in err
    assert len(server.asked) <= 90
    code, _, err = audit(GREEDY, SAMPLED, "--max-queries", "5000")
    assert code == 0, err
    assert "where answers are missing" in err
    (run,) = runs(tmp_path)
    assert len(taken(server)) == answers(run), "nothing was asked twice"
    code, _, err = audit(GREEDY, SAMPLED, "--max-queries", "5000")
    assert code == 0
    assert len(runs(tmp_path)) == 2, "a run that is whole is not continued"


def test_an_audit_that_failed_at_the_door_goes_on_in_the_same_folder(audit, server: Server, tmp_path: Path) -> None:
    code, _, err = audit(GREEDY, "--max-queries", "20")
    assert code == 2
    assert "max_queries" in err
    assert answers(runs(tmp_path)[0]) == len(taken(server)) > 0
    code, _, err = audit(GREEDY, "--max-queries", "500")
    assert code == 0, err
    (run,) = runs(tmp_path)
    assert len(taken(server)) == answers(run)


def test_an_interrupted_audit_says_where_its_answers_are(audit, monkeypatch: pytest.MonkeyPatch) -> None:
    from keepmum import audit_text

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules[audit_text.__module__], "handshake", interrupt)
    code, _, err = audit(GREEDY)
    assert code == 130
    assert "answers are kept in .keepmum/runs/" in err
    assert "the same command continues" in err


def test_nothing_is_asked_for_a_folder_that_holds_something_else(audit, server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("of another kind")
    code, _, err = audit("--out", "mine")
    assert code == 2
    assert "mine is not empty and holds no audit" in err
    assert not server.asked
    assert not (tmp_path / "mine" / "restricted").exists()


@pytest.mark.parametrize("key", [KEY, "0123456789abcdef", "abcdef0123456789"])
def test_a_key_in_the_place_of_its_name_is_written_nowhere(audit, server: Server, tmp_path: Path, key: str) -> None:
    code, out, err = audit("--key-env", key)
    assert code == 2
    assert "environment variable" in err
    assert key not in out + err
    assert not server.asked
    assert not (tmp_path / ".keepmum").exists()


def test_the_key_stands_in_no_file(audit, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_KEY", KEY)
    server.key = KEY
    code, out, err = audit(GREEDY, "--key-env", "BOT_KEY")
    assert code == 0, err
    assert set(server.keys) == {f"Bearer {KEY}"}
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 5
    assert not any(KEY.encode() in file.read_bytes() for file in files)
    assert KEY not in out + err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--price", "1"), "--price: expected two numbers, READ,WRITTEN"),
        (("--price", "1,2,3"), "--price: expected two numbers"),
        (("--max-cost", "1"), "expected the price of 1,000 tokens"),
        (("--per-minute", "0"), "--per-minute"),
    ],
)
def test_one_clear_line(audit, server: Server, more: tuple[str, ...], message: str) -> None:
    code, out, err = audit(*more)
    assert (code, out) == (2, ""), err
    assert message in err
    assert "internal error" not in err
    assert not server.asked


@pytest.mark.parametrize(
    "more",
    [
        ("--repeats", "5"),
        ("--shadows", "8"),
        ("--factory", "a:b"),
        ("--allow-pickle",),
        ("--known", "age"),
        ("--image-classes", "3"),
        ("--label", "y"),
    ],
)
def test_options_that_mean_nothing_here_are_not_lost_silently(audit, server: Server, more: tuple[str, ...]) -> None:
    code, _, err = audit(*more)
    assert code == 2
    assert more[0] in err
    assert not server.asked


def test_what_came_out_is_said_to_stand_somewhere_and_is_not_shown(audit, tmp_path: Path) -> None:
    from keepmum.canaries import load_registry

    code, out, err = audit(GREEDY, "--reveal", "--out", "run")
    assert code == 0, err
    assert "for your eyes alone: run/restricted/revealed.jsonl" in out + err
    path = tmp_path / "run" / "restricted" / "revealed.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    came_out = [s.text for s in load_registry("r.json").planted if s.secret in path.read_text()]
    assert came_out
    assert not any(text in out + err for text in came_out)
