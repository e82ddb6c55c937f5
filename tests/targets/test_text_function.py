"""Callables that go on with texts, and the one door for language models."""

from __future__ import annotations

import pytest

from keepmum.errors import ConfigError, TargetError
from keepmum.targets import HFCausal, HFMasked, TextFunction, as_text_target
from keepmum.targets.text import GREEDY
from text_tiny import causal, masked, module, tokenizer

pytest.importorskip("transformers")


def test_a_prompt_is_given_once_a_sample_and_answers_come_back_in_order() -> None:
    asked = []

    def function(prompts):
        asked.extend(prompts)
        return [f"{prompt}{i}" for i, prompt in enumerate(prompts)]

    target = TextFunction(function)
    assert target.generate(["a", "b"], 5, samples=2) == [["a0", "a1"], ["b2", "b3"]]
    assert asked == ["a", "a", "b", "b"]
    assert target.queries == 4
    assert "decides itself" in target.notes[0]


def test_a_function_that_asks_is_told_how_to_draw() -> None:
    told = {}

    def function(prompts, *, tokens, sampling, seed):
        told.update(tokens=tokens, sampling=sampling, seed=seed)
        return ["x"] * len(prompts)

    target = TextFunction(function)
    target.generate(["a"], 7, sampling=GREEDY, seed=3)
    assert told == {"tokens": 7, "sampling": GREEDY, "seed": 3}
    assert target.notes == []


def test_prompts_that_are_repeated_are_taken_off() -> None:
    echoing = TextFunction(lambda prompts: [prompt + "!" for prompt in prompts], echo=True)
    assert echoing.generate(["ab"], 1) == [["!"]]
    with pytest.raises(TargetError, match="leave out echo"):
        TextFunction(lambda prompts: ["other"] * len(prompts), echo=True).generate(["ab"], 1)


def test_answers_that_are_none_are_one_line() -> None:
    def broken(prompts):
        raise ValueError("no connection\nand a long story")

    def spent(prompts):
        raise ConfigError("own words")

    for function, kind, line in (
        (broken, TargetError, r"\(ValueError: no connection\)"),
        (spent, ConfigError, "own words"),
        (lambda prompts: ["x"], TargetError, "expected 2 texts"),
        (lambda prompts: [None] * 2, TargetError, "expected 2 texts"),
    ):
        with pytest.raises(kind, match=line):
            TextFunction(function).generate(["a"], 1, samples=2)


def test_everything_that_writes_or_fills_in_comes_through_one_door(tmp_path) -> None:
    target, filler = causal(), masked()
    assert as_text_target(target) is target
    assert isinstance(as_text_target((module(), tokenizer())), HFCausal)
    assert isinstance(as_text_target((filler.model, filler.tokenizer)), HFMasked)
    assert isinstance(as_text_target(lambda prompts: prompts), TextFunction)
    target.save(tmp_path / "causal")
    filler.save(tmp_path / "masked")
    assert isinstance(as_text_target(str(tmp_path / "causal")), HFCausal)
    assert isinstance(as_text_target(tmp_path / "masked"), HFMasked)


@pytest.mark.parametrize(
    ("model", "line"),
    [(3, "got int"), (str, "got type"), ("nowhere", "expected a folder with config.json")],
)
def test_something_else_is_refused(model, line: str) -> None:
    with pytest.raises(TargetError, match=line):
        as_text_target(model)
    with pytest.raises(TargetError, match="together with its tokenizer"):
        as_text_target(module())
