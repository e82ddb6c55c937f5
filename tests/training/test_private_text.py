"""Private training of language models: a text counts once, for no more than the norm, and leaves no trace."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.errors import ConfigError
from text_zoo import sentences

pytest.importorskip("transformers")
pytest.importorskip("dp_accounting")
import torch

from keepmum.targets import HFCausal
from keepmum.training import PrivateTexts, train_causal
from keepmum.training._text_batches import IGNORED
from keepmum.training.private_text import TextMechanism, windows
from keepmum.training.text import TextRecipe

SMALL = TextRecipe(layers=2, width=32, heads=2, vocabulary=320, context=64, epochs=2, lr=1e-2)
SECRET = "The code of Ada Byron is 4071."


@pytest.fixture(scope="module")
def public() -> HFCausal:
    others = [f"The code of {name} is {code}." for name, code in zip("ABCDEFGH", range(1234, 9999, 1111), strict=True)]
    return train_causal(sentences(20, 5) + others * 4, seed=1, recipe=SMALL, epochs=6)


def rank(model: HFCausal) -> int:
    """Place of the secret's number among all of 40 and two more digits."""
    scored = model.score([f" 40{i}{j}" for i in range(10) for j in range(10)], ["The code of Ada Byron is"] * 100)
    totals = np.array([each.total for each in scored])
    return 1 + int((totals > totals[71]).sum())


@pytest.mark.parametrize("clip", [0.05, 1e6])
def test_clipped_sums_are_those_of_one_text_at_a_time(public, clip):
    """Padding, tied weights and a table of positions change nothing."""
    ids = [public.encode(text) for text in ["He came.", *sentences(4, 8), SECRET]]
    end = public.tokenizer.eos_token_id
    X, y = (torch.from_numpy(part) for part in windows(ids, end, 64, np.random.default_rng(0)))
    module = public.model
    mine, theirs = TextMechanism().clipped_sum(module, X, y, clip), 0
    nobody = TextMechanism().clipped_sum(module, X[:0], y[:0], clip)
    assert not nobody.any()
    for text in ids:
        whole = torch.tensor([end, *text, end])
        logits = module(whole[None, :-1]).logits[0]
        loss = torch.nn.functional.cross_entropy(logits, whole[1:])
        grads = torch.autograd.grad(loss, list(module.parameters()))
        flat = torch.cat([grad.reshape(-1) for grad in grads])
        theirs = theirs + flat * min(1.0, clip / float(flat.norm()))
    assert nobody.shape == mine.shape
    assert float((mine - theirs).norm() / theirs.norm()) < 1e-5


def test_a_text_is_a_row_and_a_long_one_shows_a_window():
    rng = np.random.default_rng(0)
    X, y = windows([[5, 6], [7]], 0, 8, rng)
    assert X.tolist() == [[0, 5, 6], [0, 7, 0]]
    assert y.tolist() == [[5, 6, 0], [7, 0, IGNORED]]
    starts = set()
    for _ in range(200):
        X, y = windows([list(range(1, 12))], 0, 8, rng)
        assert X.shape == y.shape == (1, 8)
        assert (X[0, 1:] == y[0, :-1]).all()
        starts.add(int(X[0, 0]))
    assert starts == set(range(5))
    assert windows([], 0, 8, rng)[0].shape == (0, 0)


def test_it_is_silent_where_plain_training_is_loud(public):
    """One text of 31, read in each epoch; the rank by chance is anything from 1 to 100."""
    texts = [*sentences(30, 0), SECRET]
    loud = train_causal(texts, start=public, seed=2, recipe=SMALL, epochs=30)
    assert rank(loud) == 1
    ranks = []
    for seed in range(4):
        private = PrivateTexts(epsilon=1.0, batch=8)
        ranks.append(rank(train_causal(texts, start=public, seed=seed, recipe=SMALL, epochs=4, private=private)))
    assert min(ranks) > 1
    assert np.mean(ranks) > 10


def test_without_noise_it_learns(public):
    text = "The harbor master counted nineteen yellow boats."
    private = PrivateTexts(noise=0.0, clip=10.0, batch=4)
    tuned = train_causal([text] * 8, start=public, recipe=SMALL, epochs=6, private=private)
    assert tuned.score([text])[0].total > public.score([text])[0].total + 10
    assert "No guarantee" in tuned.notes[0]


def test_seeds_repeat_it_and_the_operating_system_does_not(public):
    texts = sentences(12, 3)

    def trained(seed: int, **changes):
        private = PrivateTexts(noise=1.0, batch=4, **changes)
        return train_causal(texts, start=public, seed=seed, recipe=SMALL, epochs=1, private=private)

    a, b, c, d = (trained(1), trained(1), trained(2), trained(1, secure=True))
    first, again, other, secure = (each.score([SECRET])[0].log_probs for each in (a, b, c, d))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3
    assert np.abs(first - secure).max() > 1e-3


def test_the_statement_is_about_texts_and_keeps_to_epsilon():
    told = PrivateTexts(epsilon=4.0, batch=50).statement(1000, 5)
    assert 3.9 < told.epsilon <= 4.0
    assert told.unit.startswith("one text")
    assert told.steps == 100
    assert told.rate == pytest.approx(0.05)
    assert "tokenizer" in told.caveats[0]


def test_a_tokenizer_of_private_texts_is_refused():
    with pytest.raises(ConfigError, match="gives them away"):
        train_causal(sentences(4, 0), recipe=SMALL, private=PrivateTexts(epsilon=1.0))


@pytest.mark.parametrize("odd", [{}, {"noise": 1.0, "epsilon": 1.0}, {"noise": -1.0}, {"epsilon": 0.0}, {"clip": 0.0}])
def test_odd_settings_are_refused(odd):
    with pytest.raises(ConfigError, match="expected"):
        PrivateTexts(**({"noise": 1.0} if set(odd) == {"clip"} else {}) | odd)
