"""What a server says of texts is believed when it agrees with what it writes."""

from __future__ import annotations

import numpy as np
import pytest
from served import MODEL, serving
from test_served_audit import Favors

import text_zoo
from keepmum.attacks import Context
from keepmum.findings import Outcome
from keepmum.targets.handshake import believed, handshake
from keepmum.targets.openai import Cassette, Client, Endpoint, Quota, connect, from_url
from keepmum.targets.text import TextTarget, TokenScoreTarget

SECRETS = text_zoo.pin_secrets(12)
MODEL_OF_ALL = text_zoo.memorizer(SECRETS)
PROBES = text_zoo.sentences(4, 77)


def shaken(server, **how):
    target = connect(Client(Endpoint(server.url, MODEL), Quota(concurrency=4), **how))
    return target, handshake(target, PROBES, tokens=6)


@pytest.mark.parametrize(
    "how", [{}, {"echo": False, "prompt_logprobs": True}, {"mark": "<s>"}, {"tops": False}], ids=str
)
def test_a_server_that_tells_the_truth_is_believed(how) -> None:
    with serving(MODEL_OF_ALL, **how) as server:
        target, result = shaken(server)
        assert result.access == "token scores", result.reasons
        assert result.noise == 0
        assert believed(target, result) is target


@pytest.mark.parametrize("tops", [True, False])
def test_scores_moved_by_one_token_lower_the_access_to_texts(tops: bool) -> None:
    """As llama-cpp-python moves them for models whose texts begin with no special token."""
    with serving(MODEL_OF_ALL, shift=True, tops=tops) as server:
        target, result = shaken(server)
        assert isinstance(target, TokenScoreTarget), "nothing but the scores themselves shows it"
        assert result.access == "text"
        assert any(check.name == "greedy" and check.passed is False for check in result.checks)
        weaker = believed(target, result)
        assert isinstance(weaker, TextTarget)
        assert not isinstance(weaker, TokenScoreTarget)
        assert "The handshake lowered the access from token scores to text." in weaker.notes


def test_scores_moved_by_one_token_would_hide_the_leak() -> None:
    """Why it matters: the audit of a model that knows every secret would say that it knows none."""
    split = SECRETS.split
    with serving(MODEL_OF_ALL) as server:
        right = Favors().run(from_url(server.url, MODEL), split, Context())
    with serving(MODEL_OF_ALL, shift=True) as server:
        wrong = Favors().run(from_url(server.url, MODEL), split, Context())
    assert right.outcome is Outcome.LEAK
    assert wrong.outcome is not Outcome.LEAK


def test_a_server_of_texts_is_shaken_hands_with_as_such() -> None:
    with serving(MODEL_OF_ALL, ignores_echo=True) as server:
        _, result = shaken(server)
    assert result.access == "text"
    assert not result.reasons


def test_noise_is_measured_unless_the_cassette_answers_in_its_place(tmp_path) -> None:
    sd, length = 0.05, np.mean([len(probe) - 1 for probe in PROBES])
    with serving(MODEL_OF_ALL, noise=sd) as server:
        _, result = shaken(server, cassette=Cassette(tmp_path / "twice"))
        assert sd * np.sqrt(length) / 20 < result.noise < 4 * sd * np.sqrt(length), "from a few repetitions"
        _, again = shaken(server, cassette=Cassette(tmp_path / "twice", replay=True))
        assert again == result, "played back with its noise"
        _, hidden = shaken(server, cassette=Cassette(tmp_path / "once", once=True))
        assert hidden.noise == 0
