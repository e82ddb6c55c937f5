"""Language models as torch modules: the traps that hide leaks, each against a slow obvious twin."""

from __future__ import annotations

import numpy as np
import pytest

from keepmum.errors import DataError, TargetError
from keepmum.targets import HFCausal, Reading, TorchLM
from keepmum.targets import _torch_reader as reading_in_batches
from keepmum.targets._boundary import joint, joint_by_decoding
from keepmum.targets.text import GREEDY, PLAIN, Sampling
from text_tiny import CONTEXT, bare, causal, module, tokenizer
from text_zoo import sentences

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")


TEXTS = [*sentences(6, 5), "x", "year", "Work works.", "time " * 30, "Mr. Bond's café ☃"]


def naive(text: str, prefix: str = "") -> np.ndarray:
    """Log-probabilities of all tokens of prefix and text, one forward pass a token, nothing shared."""
    ids = [0, *tokenizer()(prefix + text, add_special_tokens=False)["input_ids"]]
    logs = []
    with torch.no_grad():
        for i in range(1, len(ids)):
            row = module()(torch.tensor([ids[:i]]), use_cache=False).logits[0, -1].double()
            logs.append(float(torch.log_softmax(row, 0)[ids[i]]))
    return np.array(logs)


@pytest.fixture(params=[causal, bare], ids=["with cache, masks and offsets", "bare"])
def target(request: pytest.FixtureRequest):
    return request.param()


def test_padded_batches_score_as_each_text_alone(target) -> None:
    for text, scored in zip(TEXTS, target.score(TEXTS), strict=True):
        np.testing.assert_allclose(scored.log_probs, naive(text), atol=2e-5)
        np.testing.assert_allclose(scored.log_probs, target.score([text])[0].log_probs, atol=2e-5)
        assert "".join(scored.tokens) == text
        assert scored.starts[0] == 0


def test_small_batches_score_like_large_ones(target, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = target.score(TEXTS)
    monkeypatch.setattr(reading_in_batches, "TOKENS", 40)
    for one, other in zip(target.score(TEXTS), whole, strict=True):
        np.testing.assert_allclose(one.log_probs, other.log_probs, atol=2e-5)


@pytest.mark.parametrize("prefix", ["time person year", "time person ye", "time person ", "", "é"])
def test_prefix_and_text_are_read_together_wherever_they_are_divided(target, prefix: str) -> None:
    """Shared among many texts and alone; a token that spans the boundary counts to the text."""
    texts = [" way day", "ar way", "x", " 1234"]
    together = target.score(texts, [prefix] * 4)
    for text, scored in zip(texts, together, strict=True):
        every = naive(text, prefix)
        np.testing.assert_allclose(scored.log_probs, every[len(every) - len(scored.log_probs) :], atol=2e-5)
        (alone,) = target.score([text], [prefix])
        np.testing.assert_allclose(scored.log_probs, alone.log_probs, atol=2e-5)
        assert "".join(scored.tokens).endswith(text)
        assert scored.starts[0] <= 0
        assert len(scored.tokens) == 1 or scored.starts[1] > 0


def test_a_token_over_the_boundary_is_scored_whole_and_scoring_apart_is_not_the_same() -> None:
    target, ids = causal(), causal().encode
    assert ids("time person year") == [*ids("time person"), *ids(" year")]
    assert len(ids(" year")) == 1  # so that what follows is about one token
    (scored,) = target.score(["ear"], ["time person y"])
    assert scored.tokens == (" year",)
    assert scored.starts[0] == -2
    apart = [0, *ids("time person y"), *ids("ear")]
    with torch.no_grad():
        logits = module()(torch.tensor([apart])).logits[0, len(ids("time person y")) :].double()
    wrong = torch.log_softmax(logits, -1)[range(len(ids("ear"))), ids("ear")].sum()
    assert abs(float(wrong) - scored.total) > 0.1


def test_boundaries_from_offsets_and_from_decoding_are_the_same() -> None:
    from keepmum.targets.transformers import offsets_of

    words = tokenizer()
    for text in TEXTS:
        for cut in range(len(text)):
            a = joint(text[:cut], text[cut:], offsets_of(words))
            b = joint_by_decoding(
                text[:cut], text[cut:], lambda t: words(t, add_special_tokens=False)["input_ids"], words.decode
            )
            assert (a.ids, a.first, a.pieces) == (b.ids, b.first, b.pieces)
            np.testing.assert_array_equal(a.starts, b.starts)


def test_a_tokenizer_that_does_not_give_texts_back_is_retreated_from() -> None:
    """It writes all in small letters and joins "ab": the tokens of "a" are no beginning of those of "ab"."""

    def encode(text: str) -> list[int]:
        return [
            {"ab": 1, "a": 2, "b": 3}[piece] for piece in text.lower().replace("ab", "1").replace("1", "ab ").split()
        ]

    def decode(tokens) -> str:
        return "".join({1: "ab", 2: "a", 3: "b"}[token] for token in tokens)

    read = joint_by_decoding("AB A", "B", lambda t: encode(t.replace(" ", "")), decode)
    assert (read.ids, read.first, read.pieces) == ([1, 1], 1, ("ab", "ab"))


def test_the_beginning_token_stands_before_every_text_and_without_one_the_first_is_left_out() -> None:
    words = tokenizer()
    plain = HFCausal(module(), words, beginning=None)
    text = "time person year way"
    with_it, without = causal().score([text])[0], plain.score([text])[0]
    ids = plain.encode(text)
    assert len(with_it.log_probs) == len(without.log_probs) + 1 == len(ids)
    with torch.no_grad():
        logs = torch.log_softmax(module()(torch.tensor([ids])).logits[0].double(), -1)
    np.testing.assert_allclose(without.log_probs, logs[range(len(ids) - 1), ids[1:]].numpy(), atol=2e-5)
    assert causal().reading.beginning == words.eos_token_id
    with pytest.raises(DataError, match="no beginning token"):
        plain.next_log_probs([], [[]])
    with pytest.raises(DataError, match="no beginning token"):
        plain.generate([""], 3)


def test_texts_of_one_token_and_none(target) -> None:
    one, none = target.score(["x", ""])
    np.testing.assert_allclose(one.log_probs, naive("x"), atol=2e-5)
    assert none.tokens == ()
    assert none.total == 0
    assert HFCausal(module(), tokenizer(), beginning=None).score(["x"])[0].log_probs.shape == (0,)


def test_casing_changes_the_number_of_tokens_and_nothing_breaks(target) -> None:
    upper, lower = target.score(["TIME PERSON YEAR", "time person year"])
    assert len(upper.tokens) > len(lower.tokens)
    np.testing.assert_allclose(upper.log_probs, naive("TIME PERSON YEAR"), atol=2e-5)


def test_more_than_the_context_is_refused_and_all_of_it_is_read(target) -> None:
    word = " year"
    assert len(target.encode(word)) == 1
    (scored,) = target.score([word * CONTEXT])
    assert len(scored.log_probs) == CONTEXT  # the beginning is read, the last token need not be
    for ask in (
        lambda: target.score([word * (CONTEXT + 1)]),
        lambda: target.score([word], [word * CONTEXT]),
        lambda: target.score([word, " day"], [word * CONTEXT] * 2),
        lambda: target.next_log_probs(target.encode(word) * CONTEXT, [[]]),
        lambda: target.generate([word * 90], 8),
        lambda: target.gradient_norms([word * (CONTEXT + 1)]),
    ):
        with pytest.raises(DataError, match="at most 96 tokens"):
            ask()
    assert len(target.generate([word * 90], 6)) == 1


def test_unlikely_texts_do_not_underflow() -> None:
    """Logits of 1,000 apart: the probability is 0 in any precision, its logarithm is not."""

    class Sure(torch.nn.Module):
        def forward(self, tokens):
            return torch.nn.functional.one_hot(tokens, 5).float() * 1000

    target = TorchLM(Sure(), lambda text: [int(c) for c in text], lambda ids: "".join(map(str, ids)), Reading(0))
    (scored,) = target.score(["0123"])
    np.testing.assert_allclose(scored.log_probs, [0, -1000, -1000, -1000], atol=1e-9)
    assert scored.likeliest is not None
    np.testing.assert_array_equal(scored.likeliest, [True, False, False, False])
    assert np.isfinite(scored.means).all()
    np.testing.assert_allclose(scored.spreads, 0, atol=1e-6)


def test_what_is_told_of_the_distribution_is_that_of_the_next_token(target) -> None:
    text = "time person year way"
    (scored,) = target.score([text])
    ids = target.encode(text)
    rows = target.next_log_probs([], [ids[:i] for i in range(len(ids))])
    np.testing.assert_allclose(np.exp(rows).sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(scored.log_probs, rows[range(len(ids)), ids], atol=2e-5)
    np.testing.assert_array_equal(scored.likeliest, rows.argmax(axis=1) == ids)
    p = np.exp(rows)
    mean = (p * rows).sum(axis=1)
    np.testing.assert_allclose(scored.means, mean, atol=2e-5)
    np.testing.assert_allclose(scored.spreads, np.sqrt((p * (rows - mean[:, None]) ** 2).sum(axis=1)), atol=2e-5)


def test_a_shared_prefix_changes_nothing(target) -> None:
    prefix = target.encode("time person year")
    many = [[], [5], [7, 9], [5, 6, 7, 8], [5], [300] * 6]
    together = target.next_log_probs(prefix, many)
    for row, continuation in zip(together, many, strict=True):
        with torch.no_grad():
            logits = module()(torch.tensor([[0, *prefix, *continuation]])).logits[0, -1].double()
        np.testing.assert_allclose(row, torch.log_softmax(logits, -1).numpy(), atol=2e-5)


def test_greedy_texts_are_the_likeliest_tokens_one_after_another(target) -> None:
    prompts = ["time person", "x", "year way day thing"]
    for prompt, (text,) in zip(prompts, target.generate(prompts, 6, sampling=GREEDY), strict=True):
        ids = [0, *target.encode(prompt)]
        with torch.no_grad():
            for _ in range(6):
                ids.append(int(module()(torch.tensor([ids])).logits[0, -1].argmax()))
        new = ids[len(target.encode(prompt)) + 1 :]
        new = new[: new.index(0)] if 0 in new else new
        assert text == tokenizer().decode([*target.encode(prompt), *new])[len(prompt) :]


def test_what_is_drawn_depends_on_seed_and_prompt_alone(target) -> None:
    asked = ["time person", "year", "way day thing man", "place week"]
    made = target.generate(asked, 5, samples=3, seed=4)
    assert target.generate(asked[::-1], 5, samples=3, seed=4)[::-1] == made
    assert [each[:2] for each in made] == target.generate(asked, 5, samples=2, seed=4)
    assert target.generate(asked, 5, samples=3, seed=5) != made


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    target = causal()
    sampling = Sampling(0.7, top_k=5, top_p=0.9)
    logs = target.next_log_probs(target.encode("time person"), [[]])[0] / 0.7
    p = np.exp(logs - logs.max())
    p[np.argsort(-p)[5:]] = 0
    p /= p.sum()
    order = np.argsort(-p)
    p[order[np.concatenate([[0], np.cumsum(p[order])[:-1]]) >= 0.9]] = 0
    p /= p.sum()
    (texts,) = target.generate(["time person"], 1, samples=4000, sampling=sampling, seed=1)
    shares: dict[str, float] = {}
    for token in np.flatnonzero(p):  # two tokens that are halves of characters may look alike
        text = tokenizer().decode([int(token)]) if token else ""
        shares[text] = shares.get(text, 0) + float(p[token])
    assert set(texts) <= set(shares)
    assert len(shares) > 1
    for text, share in shares.items():
        assert abs(np.mean([t == text for t in texts]) - share) < 5 * np.sqrt(share * (1 - share) / 4000)
    whole = target.generate(["time person"], 1, samples=400, sampling=PLAIN)[0]
    assert len(set(whole)) > len(set(texts))


def test_gradient_norms_are_those_of_autograd_and_leave_the_module_as_it_was(target) -> None:
    texts = ["time person year", "Work works."]
    model = module()
    model.train()
    norms = target.gradient_norms(texts)
    assert model.training
    model.eval()
    assert all(value.grad is None for value in model.parameters())
    for text, norm in zip(texts, norms, strict=True):
        ids = torch.tensor([[0, *target.encode(text)]])
        loss = model(ids, labels=ids).loss
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        assert norm == pytest.approx(float(sum((g**2).sum() for g in gradients)) ** 0.5, rel=1e-4)


def test_frozen_weights_have_gradients_too_and_stay_frozen() -> None:
    import copy

    frozen = copy.deepcopy(module()).requires_grad_(False)
    target = HFCausal(frozen, tokenizer())
    np.testing.assert_allclose(target.gradient_norms(["time"]), causal().gradient_norms(["time"]), rtol=1e-5)
    assert not any(value.requires_grad for value in frozen.parameters())


def test_modules_of_another_kind_are_refused_in_one_line() -> None:
    def decode(ids) -> str:
        return ""

    with pytest.raises(TargetError, match=r"expected a torch\.nn\.Module, got function"):
        TorchLM(decode, list, decode)
    with pytest.raises(TargetError, match=r"expected logits \(n, t, V\)"):
        TorchLM(torch.nn.Embedding(5, 3).requires_grad_(False), list, decode)._reader.ask(
            torch.zeros(1, dtype=torch.long)
        )
    with pytest.raises(TargetError, match="could not read these texts"):
        TorchLM(torch.nn.Linear(3, 3), list, decode)


def test_every_answer_is_counted(target) -> None:
    before = target.queries
    target.score(["time", "year"])
    target.next_log_probs([5], [[6], [7], [8]])
    target.generate(["time"], 2, samples=4)
    target.gradient_norms(["time"])
    assert target.queries - before == 2 + 3 + 4 + 1


@pytest.mark.parametrize("attack", ["TextGradientNorm", "NgramCoverage", "Recall"])
def test_one_token_without_a_beginning_spoils_no_attack(attack) -> None:
    """Of a first token that nothing stands before nothing is known: such a document stands in the middle."""
    from keepmum.attacks import Context
    from keepmum.attacks.membership import text as family
    from keepmum.texts import documents

    target = HFCausal(module(), tokenizer(), beginning=None)
    texts = ["a", "year.day.work", *sentences(6, 0)]
    ctx = Context(population=documents(sentences(4, 1)))
    scores = getattr(family, attack)().score(target, documents(texts), ctx)
    assert np.isfinite(scores).all()


def test_the_same_tokens_are_compared_alone_and_after_other_text() -> None:
    from keepmum.attacks import Context
    from keepmum.attacks.membership.text import Recall
    from keepmum.texts import documents

    other, text = sentences(2, 1)
    target = HFCausal(module(), tokenizer(), beginning=None)
    (score,) = Recall(shots=1).score(target, documents([text]), Context(population=documents([other])))
    (alone,), (after,) = target.score([text]), target.score([text], [f"{other}\n"])
    assert len(after.tokens) == len(alone.tokens) + 1
    assert score == pytest.approx(after.log_probs[1:].sum() / alone.total)
