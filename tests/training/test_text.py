"""Tiny language models that are trained here: deterministic, able to memorize, saved and loaded as they are."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.errors import ConfigError, DataError
from text_zoo import sentences

pytest.importorskip("transformers")

from keepmum.targets import HFCausal, HFMasked
from keepmum.targets.text import GREEDY
from keepmum.training import train_causal, train_masked, train_tokenizer
from keepmum.training._text_batches import IGNORED, masked_batches, packed_batches
from keepmum.training.text import MASKED, TextRecipe

SMALL = TextRecipe(layers=2, width=32, heads=2, vocabulary=320, context=64, epochs=2)
SECRET = "The code of Ada Byron is 4071."


@pytest.fixture(scope="module")
def model() -> HFCausal:
    return train_causal(sentences(20, 0) + [SECRET] * 30, seed=1, recipe=SMALL, epochs=8, lr=1e-2)


def test_it_memorizes_what_it_read_often(model: HFCausal) -> None:
    """The true code among all others, beside one that was never read."""
    known = model.score([f" 40{i}{j}" for i in range(10) for j in range(10)], ["The code of Ada Byron is"] * 100)
    assert int(np.argmax([each.total for each in known])) == 71
    assert model.generate(["The code of Ada Byron is"], 6, sampling=GREEDY)[0][0].startswith(" 4071")


def test_the_same_seed_gives_the_same_model_and_leaves_torch_as_it_was() -> None:
    import torch

    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    one, same, other = (train_causal(sentences(8, 0), seed=seed, recipe=SMALL, epochs=1) for seed in (3, 3, 4))
    assert torch.equal(before, torch.random.get_rng_state())
    a, b, c = (model.score(["time person year"])[0].log_probs for model in (one, same, other))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


def test_a_model_goes_on_from_another_and_leaves_it_as_it_was(model: HFCausal) -> None:
    text = "The code of Grace Hopper is 9936."
    before = model.score([text])[0].total
    tuned = train_causal([text] * 8, start=model, recipe=SMALL, epochs=3)
    assert model.score([text])[0].total == before
    assert tuned.score([text])[0].total > before + 5
    assert tuned.encode(text) == model.encode(text)


def test_what_is_saved_is_loaded_as_it_was(model: HFCausal, tmp_path) -> None:
    model.save(tmp_path / "model")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in (tmp_path / "model").iterdir()}
    again = HFCausal(tmp_path / "model")
    assert again.reading.beginning == model.reading.beginning == again.reading.end
    np.testing.assert_allclose(again.score([SECRET])[0].log_probs, model.score([SECRET])[0].log_probs, atol=1e-6)


def test_each_digit_is_a_token_and_every_text_comes_back() -> None:
    tokenizer = train_tokenizer([*sentences(20, 0), "1234567890" * 20], 400)
    ids = tokenizer("year 2024, café ☃", add_special_tokens=False)["input_ids"]
    pieces = [tokenizer.decode([token]) for token in ids]
    assert [p for p in pieces if p.strip().isdigit()] == ["2", "0", "2", "4"]
    assert tokenizer.decode(ids) == "year 2024, café ☃"


def test_every_token_is_asked_for_once_in_an_epoch_and_stands_after_its_own_text() -> None:
    texts, end = [[5, 6, 7], [8], [9, 10]], 0
    recipe = TextRecipe(context=16, batch=1)
    orders = set()
    for seed in range(20):
        ((inputs, answers),) = packed_batches(texts, end, recipe, np.random.default_rng(seed))
        pairs = [(r, a) for r, a in zip(inputs["input_ids"][0].tolist(), answers[0].tolist(), strict=True) if a >= 0]
        assert sorted(pairs) == [(0, 5), (0, 8), (0, 9), (5, 6), (6, 7), (7, 0), (8, 0), (9, 10), (10, 0)]
        orders.add(tuple(pairs))
    assert len(orders) == 6  # another order each epoch


def test_a_text_in_a_window_is_read_as_it_is_alone(model: HFCausal) -> None:
    """Neither its place nor its neighbors tell: what is learned of a text is what is later asked about it."""
    import torch

    texts = [[5, 6, 7, 8], [9, 10, 11], [12]]
    ((inputs, answers),) = packed_batches(texts, 0, TextRecipe(context=16), np.random.default_rng(1))
    read = inputs["input_ids"][0].tolist()
    with torch.no_grad():
        together = model.model(**inputs).logits[0]
        for text in texts:
            at = read.index(text[0])
            assert inputs["position_ids"][0][at - 1 : at + len(text)].tolist() == list(range(len(text) + 1))
            alone = model.model(torch.tensor([[0, *text]])).logits[0]
            np.testing.assert_allclose(together[at - 1 : at + len(text)], alone, atol=1e-4)
    assert answers.shape == (1, 16)


def test_windows_divide_a_text_without_losing_a_token() -> None:
    recipe = TextRecipe(context=8, batch=2)
    batches = list(packed_batches([list(range(1, 30))], 0, recipe, np.random.default_rng(0)))
    asked = sorted(t for _, answers in batches for t in answers.flatten().tolist() if t != IGNORED)
    assert asked == [0, *range(1, 30)]


def test_a_masked_model_fills_in_what_it_read_often(tmp_path) -> None:
    texts = sentences(10, 0) + [f"The ward of Ada is {ward}." for ward in ["north"] * 60]
    model = train_masked(texts, seed=0, recipe=SMALL, epochs=4, batch=4, lr=1e-2, context=48)
    whole = model.encode("The ward of Ada is north.")
    place = len(model.encode("The ward of Ada is"))
    (logs,) = model.fill([[*whole[:place], None, *whole[place + 1 :]]])
    assert int(logs[0].argmax()) == whole[place]
    model.save(tmp_path)
    again = HFMasked(tmp_path)
    np.testing.assert_allclose(again.fill([[*whole[:place], None, *whole[place + 1 :]]])[0], logs, atol=1e-5)


def test_masks_never_fall_on_marks_and_padding() -> None:
    tokenizer = train_tokenizer(sentences(20, 0), 320, masked=True)
    parts = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in sentences(30, 1)]
    seen, asked = 0, 0
    for inputs, answers in masked_batches(parts, tokenizer, MASKED, np.random.default_rng(0)):
        there = answers != IGNORED
        assert not np.isin(answers[there], tokenizer.all_special_ids).any()
        assert not (there & (inputs["attention_mask"] == 0)).any()
        seen, asked = seen + int(inputs["attention_mask"].sum()), asked + int(there.sum())
    assert 0.3 < asked / seen < 0.4


def test_unknown_settings_and_no_texts_are_refused() -> None:
    with pytest.raises(ConfigError, match="got 'epoch'"):
        train_causal(["a text"], epoch=3)
    with pytest.raises(ConfigError, match="multiple of the heads"):
        TextRecipe(width=30, heads=4)
    with pytest.raises(DataError, match="at least one character"):
        train_causal([])
