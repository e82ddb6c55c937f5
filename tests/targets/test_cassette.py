"""Answers of a served model are kept as they come: nothing finished is asked twice, and nothing secret is written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from served import MODEL, serving

import text_zoo
from keepmum.errors import ConfigError, TargetError
from keepmum.targets._cassette import Answer, key_of
from keepmum.targets.openai import Cassette, Client, Endpoint, Quota, connect, from_url
from keepmum.targets.text import GREEDY

KNOWS = text_zoo.ignorant()
TEXTS = [f"The code of person {i}" for i in range(40)]

RUN = """
import sys
from keepmum.targets.openai import Quota, from_url
target = from_url(sys.argv[1], "tiny", cassette=sys.argv[2], quota=Quota(concurrency=int(sys.argv[3])))
scored = target.score([f"The code of person {i}" for i in range(40)])
print(sum(s.total for s in scored), target.generate(["The time "], 3, samples=4, seed=1))
"""


def run(server, tape: Path, concurrency: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, server.url, str(tape), str(concurrency)], stdout=subprocess.PIPE, text=True
    )


def whole_run(server, tape: Path | None) -> object:
    """The same in this process."""
    target = from_url(server.url, MODEL, cassette=tape)
    return sum(s.total for s in target.score(TEXTS)), target.generate(["The time "], 3, samples=4, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_killed_run_goes_on_without_asking_again(tmp_path: Path, concurrency: int) -> None:
    tape = tmp_path / "tape.jsonl"
    with serving(KNOWS, delay=0.03) as server:
        first = run(server, tape, concurrency)
        deadline = time.monotonic() + 60
        while len(server.asked) < 20 and time.monotonic() < deadline:
            time.sleep(0.005)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        finished = len(Cassette(tape))
        sent = len(server.asked)
        assert sent - concurrency <= finished <= sent < 40, (
            "all that was answered is written, but for what was under way"
        )
        server.delay = 0
        once = whole_run(server, tape)
        assert len(server.asked) - sent == 1 + 40 + 4 - finished, (
            "the probe, the texts and the draws, less what is there"
        )
        asked = len(server.asked)
        assert whole_run(server, tape) == once
        assert len(server.asked) == asked


def test_a_cassette_is_played_back_without_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tape = tmp_path / "tape.jsonl"
    with serving(KNOWS, echo=False) as server:
        recorded = from_url(server.url, MODEL, cassette=tape)
        texts = recorded.generate(["The time "], 5, samples=3)
    monkeypatch.setitem(sys.modules, "httpx", None)
    target = from_url("https://elsewhere.example/v1", MODEL, cassette=Cassette(tape, replay=True))
    assert target.access == "text"
    assert target.notes[1:] == recorded.notes[1:]
    assert target.generate(["The time "], 5, samples=3) == texts
    with pytest.raises(TargetError, match="request to /completions that is not in it: record it "):
        target.generate(["The time "], 6, samples=3)


def test_what_a_server_refused_is_asked_again_when_it_is_there(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with serving(KNOWS, echo=False) as server:
        assert from_url(server.url, MODEL, cassette=tape).access == "text"
        server.echo = True
        assert from_url(server.url, MODEL, cassette=tape).access == "token scores"


def test_the_same_request_asked_twice_is_two_answers_unless_once_will_do(tmp_path: Path) -> None:
    with serving(KNOWS) as server:
        twice = connect(Client(Endpoint(server.url, MODEL), cassette=Cassette(tmp_path / "twice")))
        for _ in range(2):
            twice.score(["The time"])  # type: ignore[union-attr]
        assert len(server.asked) == 3
        again = connect(Client(Endpoint(server.url, MODEL), cassette=Cassette(tmp_path / "twice")))
        for _ in range(3):
            again.score(["The time"])  # type: ignore[union-attr]
        assert len(server.asked) == 4, "two were recorded, the third is new"
        once = connect(Client(Endpoint(server.url, MODEL), cassette=Cassette(tmp_path / "once", once=True)))
        for _ in range(3):
            once.score(["The time"])  # type: ignore[union-attr]
        assert len(server.asked) == 6
        assert len(once.generate(["The time "], 2, samples=4)[0]) == 4
        assert len(server.asked) == 10, "draws are told apart all the same"


def test_neither_key_nor_request_stands_in_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVED_KEY", "sk-right-and-long")
    tape = tmp_path / "tape.jsonl"
    with serving(KNOWS, key="sk-right-and-long", echo=False) as server:
        target = from_url(server.url, MODEL, cassette=tape, key_env="SERVED_KEY")
        target.generate(["A prompt of its own"], 3)
        text = tape.read_text(encoding="utf-8")
        server.raw = json.dumps({"choices": [{"text": "your key is sk-right-and-long"}]}).encode()
        (made,) = target.generate(["Another"], 3)
    assert made == ["your key is [key]"]
    text = tape.read_text(encoding="utf-8")
    assert "sk-right" not in text
    assert "A prompt of its own" not in text
    assert server.url not in text
    assert tape.stat().st_mode & 0o777 == 0o600
    assert {frozenset(json.loads(line)) for line in text.splitlines()} == {
        frozenset({"key", "status", "tokens", "answer"})
    }


def test_a_line_that_was_cut_off_is_not_counted_and_not_glued_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "tape.jsonl"
    tape = Cassette(path)
    for key in "abc":
        tape.add(key, Answer(200, {"choices": [key]}, 3, 1))
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        cut = Cassette(path)
        complete = whole[:length].count(b"\n")
        assert complete <= len(cut) <= complete + 1, "a line may be whole but for its end"
        cut.add("d", Answer(200, {"choices": ["d"]}))
        again = Cassette(path)
        assert len(again) == len(cut)
        assert again.get("d") == Answer(200, {"choices": ["d"]})


def test_the_key_tells_requests_apart() -> None:
    keys = {
        key_of(path, body, draw, turn)
        for path in ("/a", "/b")
        for body in ({"x": 1}, {"x": 2})
        for draw in (0, 1)
        for turn in (0, 1)
    }
    assert len(keys) == 16
    assert key_of("/a", {"x": 1, "y": 2}, 0, 0) == key_of("/a", {"y": 2, "x": 1}, 0, 0)


def test_files_that_are_no_cassettes_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "data.csv"
    other.write_text("name,age\nAda,36\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected a cassette, got another kind of file"):
        Cassette(other)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read"):
        Cassette(tmp_path / "bytes")
    with pytest.raises(ConfigError, match="record it first"):
        Cassette(tmp_path / "none", replay=True)
    with pytest.raises(ConfigError, match="cannot write the cassette"):
        Cassette(tmp_path / "no" / "folder").add("a", Answer(200, {}))
    assert other.read_text(encoding="utf-8") == "name,age\nAda,36\n"


def test_what_was_paid_for_is_counted_after_a_restart(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    quota = Quota(price=(1.0, 2.0))
    for usage in (True, False):
        with serving(KNOWS, usage=usage) as server:
            client = Client(Endpoint(server.url, MODEL), quota, Cassette(tape))
            connect(client).generate(["The time "] * 2, 3, sampling=GREEDY, seed=int(usage))
        again = Client(Endpoint(server.url, MODEL), quota, Cassette(tape))
        assert again.meter.answered == client.meter.answered > 0
        assert again.meter.cost == pytest.approx(client.meter.cost)


def test_the_test_of_killed_runs_can_fail() -> None:
    """Without its cassette a run asks for everything again."""
    with serving(KNOWS) as server:
        for _ in range(2):
            whole_run(server, None)
        assert len(server.asked) == 2 * (1 + 40 + 4)
