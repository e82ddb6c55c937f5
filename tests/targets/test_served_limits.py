"""How fast and for how much a served model is asked, on a clock that the test winds."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import numpy as np
import pytest
from served import MODEL, serving

import text_zoo
from keepmum.errors import BudgetError, ConfigError, TargetError
from keepmum.targets._limits import Meter
from keepmum.targets._replies import retry_after
from keepmum.targets.openai import Cassette, Client, Endpoint, Quota, connect
from keepmum.targets.text import GREEDY

KNOWS = text_zoo.ignorant()
TEXTS = [f"The code of person {i}" for i in range(10)]


class Wound:
    """A clock that only goes on while somebody waits."""

    def __init__(self) -> None:
        self.time, self.waits, self.lock = 1000.0, [], threading.Lock()

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.waits.append(seconds)
            self.time += seconds


def client_of(server, clock=None, cassette=None, seed=0, **quota) -> Client:
    quota = {"concurrency": 1, **quota}
    return Client(Endpoint(server.url, MODEL), Quota(**quota), cassette, rng=np.random.default_rng(seed), clock=clock)


def test_requests_a_minute_are_spread_over_it() -> None:
    clock = Wound()
    with serving(KNOWS) as server:
        target = connect(client_of(server, clock, per_minute=30))
        start = clock.time
        target.score(TEXTS)  # type: ignore[union-attr]
    assert clock.time - start == pytest.approx(2.0 * len(TEXTS))


def test_the_pace_holds_for_all_threads_together() -> None:
    with serving(KNOWS) as server:
        target = connect(client_of(server, per_minute=1200, concurrency=4))
        target.score(TEXTS)  # type: ignore[union-attr]
        gaps = np.diff(sorted(server.times))
    # a server sees requests a little later or earlier than they were sent; the mean tells
    assert gaps.mean() > 0.045


def test_a_server_that_is_busy_is_waited_for_as_long_as_it_says() -> None:
    clock = Wound()
    with serving(KNOWS, busy=[{"Retry-After": "7"}, {"status": "503", "Retry-After": "30"}]) as server:
        target = connect(client_of(server, clock))
        assert clock.waits == [7.0, 30.0]
        assert len(target.generate(["The"], 3)) == 1


def test_without_a_word_the_wait_doubles_and_is_drawn_from_the_lent_generator() -> None:
    waits = []
    for seed in (0, 0, 1):
        clock = Wound()
        with serving(KNOWS, busy=[{"status": s} for s in ("429", "502", "504", "503")]) as server:
            connect(client_of(server, clock, seed=seed))
        waits.append(clock.waits)
    assert waits[0] == waits[1] != waits[2]
    assert all(2**i / 2 <= wait <= 2**i for i, wait in enumerate(waits[0]))


def test_everyone_waits_when_one_is_told_to() -> None:
    clock = Wound()
    meter = Meter(Quota(), clock, np.random.default_rng(0))
    meter.hold(5)
    meter.pace()
    assert clock.waits == [5.0]


def test_retries_end() -> None:
    with serving(KNOWS, busy=[{}] * 9) as server:
        with pytest.raises(TargetError, match=r"still busy \(429\) after all retries"):
            connect(client_of(server, Wound(), retries=2))
        assert len(server.times) == 3
        assert not server.asked


def test_a_server_that_fails_now_and_then_is_asked_again_and_one_that_always_fails_is_not() -> None:
    clock = Wound()
    with serving(KNOWS) as server:
        target = connect(client_of(server, clock))
        server.busy = [{"status": "500"}] * 2
        assert len(target.generate(["The"], 3)) == 1
        assert len(clock.waits) == 2
        server.busy = [{"status": "500"}] * 9
        with pytest.raises(TargetError, match="got status 500"):
            target.generate(["The"], 3)
        assert len(clock.waits) == 4


def test_what_may_be_refused_is_not_asked_again_after_a_failure() -> None:
    clock = Wound()
    with serving(KNOWS, busy=[{"status": "500"}]) as server:
        assert connect(client_of(server, clock)).access == "text"
        assert not clock.waits


def test_a_wait_beyond_patience_ends_the_run() -> None:
    clock = Wound()
    said = "asks to wait 3600 s, longer than the patience of 600 s"
    with serving(KNOWS, busy=[{"Retry-After": "3600"}]) as server, pytest.raises(TargetError, match=said):
        connect(client_of(server, clock))
    assert clock.waits == []


@pytest.mark.parametrize("value", ["", "soon", "-3", "nan", "Thu, 99 Foo 2020"])
def test_a_header_that_says_nothing(value: str) -> None:
    assert retry_after({"retry-after": value}) == 0


def test_a_header_that_gives_a_date() -> None:
    then = datetime.now(UTC) + timedelta(seconds=90)
    assert retry_after({"retry-after": format_datetime(then, usegmt=True)}) == pytest.approx(90, abs=3)
    assert retry_after({"retry-after": format_datetime(then - timedelta(hours=1))}) == 0


def test_a_request_that_takes_too_long_is_given_up_and_asked_again() -> None:
    clock = Wound()
    with serving(KNOWS) as server:
        target = connect(client_of(server, clock, timeout=0.3, retries=1))
        server.delay = 1.0
        with pytest.raises(TargetError, match="cannot reach"):
            target.generate(["The"], 1)
        assert len(clock.waits) == 1


def test_max_queries_stops_before_the_next_request_and_keeps_what_came(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    with serving(KNOWS) as server:
        target = connect(client_of(server, cassette=Cassette(tape), max_queries=5))
        with pytest.raises(BudgetError, match="5 requests of max_queries are spent; answers so far are kept"):
            target.score(TEXTS)  # type: ignore[union-attr]
        assert len(server.asked) == 5
        assert len(Cassette(tape)) == 5
        again = connect(client_of(server, cassette=Cassette(tape), max_queries=7))
        with pytest.raises(BudgetError):
            again.score(TEXTS)  # type: ignore[union-attr]
        assert len(server.asked) == 7, "what the cassette holds counts"
        whole = connect(client_of(server, cassette=Cassette(tape)))
        assert len(whole.score(TEXTS)) == 10  # type: ignore[union-attr]
        assert len(server.asked) == 11
        assert len(set(server.bodies)) == 11


def test_max_queries_holds_for_all_threads_together() -> None:
    with serving(KNOWS, delay=0.01) as server:
        target = connect(client_of(server, max_queries=6, concurrency=4))
        with pytest.raises(BudgetError):
            target.score(TEXTS)  # type: ignore[union-attr]
        assert len(server.asked) == 6


@pytest.mark.parametrize("usage", [True, False])
def test_the_cost_is_never_above_the_cap(usage: bool) -> None:
    with serving(KNOWS, usage=usage) as server:
        client = client_of(server, price=(1.0, 2.0), max_cost=0.6)
        target = connect(client)
        with pytest.raises(BudgetError, match=r"of max_cost 0\.6 are spent"):
            target.generate(TEXTS * 20, 4, sampling=GREEDY)
        charged = sum(len(body["prompt"]) + 2 * body["max_tokens"] for _, body in server.asked) / 1000
    assert charged <= client.meter.cost <= 0.6
    if usage:
        assert client.meter.cost == pytest.approx(charged)
        assert charged > 0.4, "little is left over"


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_minute": 0},
        {"max_queries": -1},
        {"max_cost": 3.0},
        {"max_cost": float("nan"), "price": (1, 1)},
        {"concurrency": 0},
        {"timeout": 0},
        {"price": (-1, 1)},
    ],
    ids=str,
)
def test_a_quota_out_of_range(wrong) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Quota(**wrong)
