"""Served models: what a server gives is found out, cut, and told; a server on this machine answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from served import MODEL, serving

import text_zoo
from keepmum.errors import ConfigError, DataError, TargetError
from keepmum.targets.openai import Chat, Client, Endpoint, Quota, ServedScores, ServedText, connect, from_url
from keepmum.targets.text import GREEDY, PLAIN, Sampling, TokenScoreTarget

SECRETS = text_zoo.pin_secrets(n=6, repeats=16)
KNOWS = text_zoo.memorizer(SECRETS)
PREFIXES = [s.prefix for s in SECRETS.planted]
TEXTS = [s.secret for s in SECRETS.planted]


def target_of(server, **how):
    return from_url(server.url, MODEL, **how)


def test_a_server_that_echoes_scores_as_the_model_itself() -> None:
    with serving(KNOWS) as server:
        target = target_of(server)
        assert isinstance(target, ServedScores)
        assert "scores given texts, by echo" in target.notes[0]
        scored, own = target.score(TEXTS, PREFIXES), KNOWS.score(TEXTS, PREFIXES)
    assert target.queries == len(TEXTS)
    for served, local in zip(scored, own, strict=True):
        assert served.tokens == local.tokens
        np.testing.assert_array_equal(served.starts, local.starts)
        np.testing.assert_allclose(served.log_probs, local.log_probs)
        np.testing.assert_array_equal(served.likeliest, local.likeliest)


def test_the_first_token_of_all_has_no_score() -> None:
    with serving(KNOWS) as server:
        (scored,) = target_of(server).score(["The code"])
    (own,) = KNOWS.score(["The code"])
    assert scored.tokens == own.tokens[1:]
    np.testing.assert_allclose(scored.log_probs, own.log_probs[1:])
    assert scored.starts[0] == 1


def test_an_empty_text_is_not_asked_about() -> None:
    with serving(KNOWS) as server:
        target = target_of(server)
        before = len(server.asked)
        scored = target.score(["", " 1"], ["The", "The"])
        assert len(server.asked) == before + 1
    assert scored[0].total == 0
    assert len(scored[0].tokens) == 0
    assert scored[1].tokens == (" ", "1")


def test_prompt_logprobs_where_echo_is_refused() -> None:
    with serving(KNOWS, echo=False, prompt_logprobs=True) as server:
        target = target_of(server)
        assert "by prompt_logprobs" in target.notes[0]
        scored, own = target.score(TEXTS, PREFIXES), KNOWS.score(TEXTS, PREFIXES)
        (alone,) = target.score(["The code"])
    for served, local in zip(scored, own, strict=True):
        assert served.tokens == local.tokens
        np.testing.assert_allclose(served.log_probs, local.log_probs)
        np.testing.assert_array_equal(served.likeliest, local.likeliest)
    assert alone.tokens == tuple("he code")


@pytest.mark.parametrize(
    "how", [{"echo": False}, {"ignores_echo": True}, {"moved": 1}], ids=["refused", "ignored", "moved"]
)
def test_without_scores_of_the_text_it_is_a_target_of_texts(how) -> None:
    with serving(KNOWS, **how) as server:
        target = target_of(server)
        assert isinstance(target, ServedText)
        assert not isinstance(target, TokenScoreTarget)
        assert target.access == "text"
        assert "by /completions: it gives texts, and the 5 likeliest" in target.notes[0]
        assert target.notes[1].startswith("No scores of given texts: echo: ")
        assert target.generate(PREFIXES[:2], 5, sampling=GREEDY) == KNOWS.generate(PREFIXES[:2], 5, sampling=GREEDY)


def test_chat_gives_texts_and_likely_tokens() -> None:
    with serving(KNOWS, completions=False) as server:
        target = target_of(server)
        assert isinstance(target, ServedText)
        assert "by /chat/completions" in target.notes[0]
        assert target.generate(PREFIXES, 5, sampling=GREEDY) == [[text] for text in TEXTS]
        (told,) = target.likely_next(["The code of person 1600 is "])
    assert len(told) == 20
    assert target.queries == len(PREFIXES) + 1
    logs = KNOWS.following("The code of person 1600 is ")
    assert max(told, key=told.__getitem__) == KNOWS.decode([int(logs.argmax())])
    assert sum(map(math.exp, told.values())) <= 1


def test_a_server_without_any_log_probs_gives_texts_alone() -> None:
    with serving(KNOWS, logprobs=False) as server:
        target = target_of(server)
        assert target.notes[0].endswith("it gives texts alone.")
        with pytest.raises(TargetError, match="does not tell the likeliest"):
            target.likely_next(["The"])  # type: ignore[union-attr]


def test_the_address_may_say_what_is_asked() -> None:
    with serving(KNOWS) as server:
        chats = from_url(server.url + "/chat/completions", MODEL)
        assert isinstance(chats, ServedText)
        assert {path for path, _ in server.asked} == {"/v1/chat/completions"}
        assert isinstance(from_url(server.url + "/completions/", MODEL), ServedScores)
    with (
        serving(KNOWS, completions=False) as server,
        pytest.raises(TargetError, match="got neither: /completions: refused"),
    ):
        from_url(server.url + "/completions", MODEL)


def test_what_is_said_to_a_model_that_chats() -> None:
    with serving(KNOWS, completions=False) as server:
        target = connect(Client(Endpoint(server.url, MODEL)), Chat("Go on: {prompt}"))
        target.generate(["The {x}"], 2, sampling=GREEDY)
        assert server.asked[-1][1]["messages"] == [{"role": "user", "content": "Go on: The {x}"}]


def test_a_chat_whose_limit_is_called_otherwise() -> None:
    with serving(KNOWS, completions=False, renamed=True) as server:
        target = target_of(server)
        assert target.generate(PREFIXES, 5, sampling=GREEDY) == [[text] for text in TEXTS]
        assert server.asked[-1][1]["max_completion_tokens"] == 5


def test_draws_are_distinct_and_repeat_with_the_seed() -> None:
    with serving(KNOWS) as server:
        target = target_of(server)
        before = len(server.asked)
        (texts,) = target.generate(["The time "], 12, samples=6, sampling=PLAIN, seed=3)
        assert len(set(texts)) > 1
        assert len(set(server.bodies[before:])) == 6
        assert target.generate(["The time "], 12, samples=6, sampling=PLAIN, seed=3) == [texts]
        assert target.generate(["The time "], 12, samples=6, sampling=PLAIN, seed=4) != [texts]
        target.generate(["The time "], 2, sampling=Sampling(0.5, 3, 0.9))
        assert {k: server.asked[-1][1][k] for k in ("temperature", "top_k", "top_p")} == {
            "temperature": 0.5,
            "top_k": 3,
            "top_p": 0.9,
        }
        assert "top_k" not in server.asked[before][1]


@pytest.mark.parametrize("width", [2, 3, 4])
def test_tokens_that_span_the_boundary_count_to_the_text(width: int) -> None:
    prefix, text = "The code of person 1600 is", " 1234 and so on"
    with serving(KNOWS, width=width) as server:
        (scored,) = target_of(server).score([text], [prefix])
    places = range(0, len(prefix + text), width)
    wanted = [p for p in places if p + width > len(prefix)]
    assert scored.starts.tolist() == [p - len(prefix) for p in wanted]
    assert "".join(scored.tokens).endswith(text)
    singly = KNOWS.score([(prefix + text)[wanted[0] :]], [prefix[: wanted[0]]])[0]
    assert scored.total == pytest.approx(singly.total)


def test_a_mark_at_the_beginning_is_no_part_of_the_text() -> None:
    with serving(KNOWS, mark="<s>") as server:
        (scored,) = target_of(server).score(["The code"])
    (own,) = KNOWS.score(["The code"])
    assert scored.tokens == own.tokens
    np.testing.assert_allclose(scored.log_probs, own.log_probs)


def rescored(target: TokenScoreTarget) -> float:
    """Share of the tokens that a greedy model wrote and that it calls the likeliest when it is asked again."""
    made = [texts[0] for texts in target.generate(PREFIXES, 5, sampling=GREEDY)]
    return float(np.mean(np.concatenate([s.likeliest for s in target.score(made, PREFIXES)])))


def test_scores_moved_by_one_token_are_seen_when_greedy_text_is_scored_again() -> None:
    with serving(KNOWS) as server:
        assert rescored(target_of(server)) == 1  # type: ignore[arg-type]
    with serving(KNOWS, shift=True) as server:
        target = target_of(server)
        assert isinstance(target, ServedScores)
        assert rescored(target) < 0.8


def test_a_text_that_is_too_long_is_never_cut_and_not_repeated_in_the_error() -> None:
    with serving(KNOWS, context=200) as server:
        with pytest.raises(DataError, match=r"longer than tiny can read: .*are left out") as caught:
            target_of(server).score(["a secret " * 50])
        assert "a secret" not in str(caught.value)


def test_the_wrong_name_of_a_model_is_told_with_the_right_ones() -> None:
    with serving(KNOWS) as server, pytest.raises(TargetError, match="got 'tinny'; it has tiny: give the name"):
        from_url(server.url, "tinny")


def test_a_key_that_is_missing_or_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(KNOWS, key="sk-right-and-long") as server:
        with pytest.raises(TargetError, match=r"refuses access \(401\).*SERVED_KEY, which is not set"):
            target_of(server, key_env="SERVED_KEY")
        monkeypatch.setenv("SERVED_KEY", "sk-wrong-and-long")
        with pytest.raises(TargetError, match="the one there is not taken") as caught:
            target_of(server, key_env="SERVED_KEY")
        assert "sk-wrong" not in str(caught.value)
        monkeypatch.setenv("SERVED_KEY", "sk-right-and-long")
        target = target_of(server, key_env="SERVED_KEY")
        assert server.keys[-1] == "Bearer sk-right-and-long"
    assert not any("sk-right" in note for note in target.notes)
    assert "sk-right" not in repr(vars(target)) + repr(vars(target.client)) + repr(target.client.endpoint)


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with serving(KNOWS) as server:
        url = server.url
    with pytest.raises(TargetError, match=r"cannot reach http://127.0.0.1:\d+/v1 \(.*\): is the server running"):
        from_url(url, MODEL)


@pytest.mark.parametrize(
    "raw", [b"<html>hello</html>", b"[1]", b'{"choices": 3}', b'{"object": "list"}', b"\xff\xfe"], ids=str
)
def test_what_is_no_answer_is_refused_in_one_line(raw: bytes) -> None:
    with (
        serving(KNOWS, raw=raw) as server,
        pytest.raises(TargetError, match="expected a JSON object with choices") as it,
    ):
        target_of(server)
    assert "\n" not in str(it.value)


@pytest.mark.parametrize(
    "choices", ["[]", "[{}, {}]", "[3]", '[{"text": 3}]', '[{"text": null, "logprobs": {"tokens": ["a"]}}]'], ids=str
)
def test_choices_that_cannot_be_read_are_refused(choices: str) -> None:
    raw = f'{{"choices": {choices}}}'.encode()
    with serving(KNOWS, raw=raw) as server, pytest.raises(TargetError, match="expected"):
        target_of(server)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://host/v1", "https://host/v1"),
        ("host/v1", "https://host/v1"),
        ("http://example.com/v1", "allow_http"),
        ("https://me:word@example.com/v1", "no user, password or query"),
        ("https://example.com/v1?key=1", "no user, password or query"),
        ("https://[::1", "https://host/v1"),
    ],
)
def test_addresses_that_are_not_spoken_to(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        Endpoint(url, MODEL)
    assert "word@" not in str(caught.value)


def test_addresses_that_are() -> None:
    for url in ("http://localhost:8000/v1", "http://127.0.0.2/v1/", "http://[::1]:80/v1", "https://example.com/v1"):
        assert Endpoint(url, MODEL).url == url.rstrip("/")
    assert Endpoint("http://example.com/v1", MODEL, allow_http=True).local is False
    with pytest.raises(ConfigError, match="name of a model"):
        Endpoint("https://example.com/v1", "")


def test_answers_come_in_order_whoever_is_first() -> None:
    with serving(KNOWS, delay=0.01) as server:
        target = target_of(server, quota=Quota(concurrency=5))
        texts = [f"The code of person {i}" for i in range(20)]
        scored = target.score(texts)
    assert ["T" + "".join(s.tokens) for s in scored] == texts
