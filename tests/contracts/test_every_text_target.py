"""What every target of language models must do: found by discovery, so a new one without a builder here fails."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

from keepmum import targets
from keepmum.targets import Target, TextFunction
from keepmum.targets.handshake import BelievedScores, BelievedText, Disbelieved, handshake
from keepmum.targets.text import GREEDY, FillTarget, TextTarget, TokenScoreTarget
from text_tiny import bare, causal, masked
from text_zoo import ignorant

pytest.importorskip("transformers")

BUILDERS = {
    "BelievedScores": lambda: BelievedScores(ignorant(), ["why"]),
    "BelievedText": lambda: BelievedText(ignorant(), ["why"]),
    "HFCausal": causal,
    "HFMasked": masked,
    "TextFunction": lambda: TextFunction(
        lambda prompts, tokens: [" ".join(reversed(p.split()))[:tokens] for p in prompts]
    ),
    "TorchLM": bare,
}


ELSEWHERE = {
    "NoisyScores": "noisy on purpose: test_extraction_averaging",
    "RememberedLogits": "test_remembered_text",
    "RememberedTokens": "test_remembered_text",
    "RememberedWeights": "test_remembered_text",
    "ServedScores": "needs a server: test_served_audit, test_served_handshake",
    "ServedText": "needs a server: test_served_audit, test_served_handshake",
    "_Passing": "what those that remember have in common",
}
"""Targets that are held to the same elsewhere, and where."""


def concrete(cls: type = Target):
    for below in cls.__subclasses__():
        if below.__module__.startswith("keepmum.targets.") and not getattr(below, "__abstractmethods__", None):
            yield below
        yield from concrete(below)


def test_every_text_target_is_held_to_the_contract() -> None:
    for module in pkgutil.iter_modules(targets.__path__):
        importlib.import_module(f"keepmum.targets.{module.name}")
    assert {cls.__name__ for base in (TextTarget, FillTarget) for cls in concrete(base)} == {
        *BUILDERS,
        *ELSEWHERE,
    }


@pytest.fixture(params=sorted(BUILDERS))
def target(request: pytest.FixtureRequest) -> Target:
    made = BUILDERS[request.param]()
    assert type(made).__name__ == request.param
    return made


def test_answers_are_what_was_asked_for_and_counted(target: Target) -> None:
    if isinstance(target, TextTarget):
        made = target.generate(["time person year", "way day thing"], 3, samples=2, seed=1)
        assert [len(each) for each in made] == [2, 2]
        assert target.queries == 4
        assert target.generate([], 3) == []
        assert target.generate(["time person year"], 3, sampling=GREEDY) == target.generate(
            ["time person year"], 3, sampling=GREEDY
        )
    if isinstance(target, TokenScoreTarget):
        before = target.queries
        (scored,) = target.score([" year"], ["time person"])
        assert "".join(scored.tokens).endswith("year")
        assert len(scored.tokens) == len(scored.starts) == len(scored.log_probs)
        assert target.queries == before + 1
        assert target.score([]) == []
    if isinstance(target, FillTarget):
        (logs,) = target.fill([[5, None, 6]])
        assert logs.shape == (1, target.size)
        np.testing.assert_allclose(np.exp(logs).sum(), 1)
        assert target.fill([]) == []


def test_the_access_is_the_rung_and_a_handshake_keeps_it(target: Target) -> None:
    assert isinstance(target, (TextTarget, FillTarget))
    shaken = handshake(
        target, ["time person year way day", "world life hand part child eye", "takes finds gives tells"]
    )
    assert shaken.access == target.access, shaken.reasons


def test_what_is_not_believed_says_why() -> None:
    assert Disbelieved(ignorant(), ["why"]).notes == ["why"]
