"""The handshake: sound targets keep their access, each known fault is caught by the check that is made for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keepmum.errors import DataError, TargetError
from keepmum.targets import TextFunction, believed
from keepmum.targets.handshake import PROBES, Handshake, handshake
from keepmum.targets.text import FillTarget, LogitTarget, Scored, TextTarget, TokenScoreTarget
from text_tiny import bare, causal, masked
from text_zoo import ignorant, memorizer, pin_secrets, sentences

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

ENGLISH = sentences(6, 77)


def failed(shaken: Handshake) -> set[str]:
    return {check.name for check in shaken.checks if check.passed is False}


class Wrapped(LogitTarget):
    """A target that passes everything on; faults are put in by overriding."""

    def __init__(self, inner: LogitTarget) -> None:
        super().__init__()
        self.inner = inner

    @property
    def size(self):
        return self.inner.size

    def encode(self, text):
        return self.inner.encode(text)

    def decode(self, tokens):
        return self.inner.decode(tokens)

    def _score(self, texts, prefixes):
        return self.inner.score(texts, prefixes)

    def _next_log_probs(self, prefix, continuations):
        return self.inner.next_log_probs(prefix, continuations)

    def _generate(self, prompts, tokens, samples, sampling, seed):
        return self.inner.generate(prompts, tokens, samples=samples, sampling=sampling, seed=seed)


def only_logs(scored: Scored, logs: np.ndarray) -> Scored:
    return replace(scored, log_probs=logs, likeliest=None, means=None, spreads=None)


class Late(Wrapped):
    """Log-probabilities stand one place too late, as in servers that forget the first."""

    def _score(self, texts, prefixes):
        every = super()._score(texts, prefixes)
        return [only_logs(s, np.concatenate([[-3.0], s.log_probs[:-1]])) if len(s.tokens) else s for s in every]


class Early(Wrapped):
    """They stand one place too early."""

    def _score(self, texts, prefixes):
        every = super()._score(texts, prefixes)
        return [only_logs(s, np.concatenate([s.log_probs[1:], [-3.0]])) if len(s.tokens) else s for s in every]


class NextStep(Wrapped):
    """Each token is looked up in the distribution of the place after it, as when logits are not moved by one."""

    def _score(self, texts, prefixes):
        answers = []
        for scored, text, prefix in zip(super()._score(texts, prefixes), texts, prefixes, strict=True):
            whole, n = self.encode(prefix + text), len(scored.tokens)
            if not n:
                answers.append(scored)
                continue
            rows = self.inner.next_log_probs([], [whole[: i + 1] for i in range(len(whole) - n, len(whole))])
            ids = whole[-n:]
            flags = rows.argmax(axis=1) == ids
            answers.append(replace(scored, log_probs=rows[range(n), ids], likeliest=flags))
        return answers


class Apart(Wrapped):
    """Prompt and continuation are tokenized apart."""

    def _score(self, texts, prefixes):
        answers = []
        for text, prefix in zip(texts, prefixes, strict=True):
            ids = self.encode(text)
            rows = self.inner.next_log_probs(self.encode(prefix), [ids[:i] for i in range(len(ids))])
            pieces = tuple(self.decode([token]) for token in ids)
            starts = np.cumsum([0, *map(len, pieces)])[:-1].astype(np.intp)
            answers.append(Scored(pieces, starts, rows[range(len(ids)), ids] if ids else np.empty(0)))
        return answers


class Noisy(Wrapped):
    """Noise on every answer."""

    def __init__(self, inner, sd):
        super().__init__(inner)
        self.sd, self.rng = sd, np.random.default_rng(0)

    def _score(self, texts, prefixes):
        every = super()._score(texts, prefixes)
        return [only_logs(s, np.minimum(s.log_probs + self.rng.normal(0, self.sd, len(s.tokens)), 0)) for s in every]


class TopK(Wrapped):
    """The likeliest tokens alone, scaled up to 1."""

    def _next_log_probs(self, prefix, continuations):
        rows = super()._next_log_probs(prefix, continuations)
        rows[rows < np.sort(rows, axis=1)[:, -5][:, None]] = -np.inf
        return rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))


class TopKScores(TopK):
    """Scores as well: what is not among the likeliest has none."""

    def _score(self, texts, prefixes):
        answers = []
        for scored, text, prefix in zip(super()._score(texts, prefixes), texts, prefixes, strict=True):
            whole, n = self.encode(prefix + text), len(scored.tokens)
            rows = self._next_log_probs([], [whole[:i] for i in range(len(whole) - n, len(whole))])
            answers.append(only_logs(scored, rows[range(n), whole[len(whole) - n :]]))
        return answers


class Flat(Wrapped):
    """Every token scores alike."""

    def _score(self, texts, prefixes):
        return [only_logs(s, np.full(len(s.tokens), -1.0)) for s in super()._score(texts, prefixes)]


class Inflated(Wrapped):
    """Scores that are no probabilities: the temperature was not undone, so that all are too likely."""

    def _score(self, texts, prefixes):
        return [only_logs(s, s.log_probs * 0.05) for s in super()._score(texts, prefixes)]


class Remembers(Wrapped):
    """Noise that is drawn once a question and remembered: the same twice, and yet noise."""

    def _score(self, texts, prefixes):
        import zlib

        answers = []
        for scored, text, prefix in zip(super()._score(texts, prefixes), texts, prefixes, strict=True):
            rng = np.random.default_rng(zlib.crc32(f"{prefix}|{text}".encode()))
            answers.append(only_logs(scored, np.minimum(scored.log_probs + rng.normal(0, 2, len(scored.tokens)), 0)))
        return answers


class Refuses(Wrapped):
    """Scores are not offered after all."""

    def _score(self, texts, prefixes):
        raise TargetError("log-probabilities are not enabled on this server")


class OtherLogits(Wrapped):
    """The distribution is of another model than the scores."""

    def _next_log_probs(self, prefix, continuations):
        return causal(seed=1).next_log_probs(prefix, continuations)


MAKERS = {"characters": ignorant, "memorizer": lambda: memorizer(pin_secrets()), "tokens": causal, "bare": bare}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("probes", [PROBES, ENGLISH], ids=["usual probes", "own probes"])
def test_a_sound_model_keeps_its_access(maker, probes) -> None:
    target = maker()
    shaken = handshake(target, probes)
    assert failed(shaken) == set()
    assert shaken.access == target.access
    assert shaken.noise < 1e-3
    assert believed(target, shaken) is target
    assert target.queries < 300


FAULTS = [
    (Late, {"greedy"}, "text"),
    (Early, {"greedy"}, "text"),
    (NextStep, {"greedy"}, "text"),
    (Flat, {"greedy"}, "text"),
    (Inflated, {"sums"}, "text"),
    (Remembers, {"chain rule"}, "text"),
    (Refuses, {"scores"}, "text"),
    (TopK, {"distribution"}, "token scores"),
    (TopKScores, {"scores", "distribution"}, "text"),
]


@pytest.mark.parametrize(("fault", "names", "access"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
@pytest.mark.parametrize("maker", [ignorant, causal], ids=["characters", "tokens"])
def test_a_fault_is_caught_by_its_check_and_lowers_the_access(maker, fault, names: set[str], access: str) -> None:
    shaken = handshake(fault(maker()), ENGLISH)
    assert names <= failed(shaken)
    assert shaken.access == access
    assert shaken.reasons


def test_tokenizing_apart_is_caught_where_tokens_have_several_characters() -> None:
    shaken = handshake(Apart(causal()), ENGLISH)
    assert "token boundary" in failed(shaken)
    assert shaken.access == "text"
    assert "hides leaks" in " ".join(shaken.reasons)
    assert handshake(Apart(ignorant()), ENGLISH).access == "full logits"  # there is nothing to tear apart


def test_logits_of_another_model_than_the_scores_are_not_believed() -> None:
    shaken = handshake(OtherLogits(causal()), ENGLISH)
    assert failed(shaken) == {"steps"}
    assert shaken.access == "token scores"


@pytest.mark.parametrize("sd", [0.01, 3.0])
def test_noise_is_measured_and_takes_nothing_away(sd: float) -> None:
    target = Noisy(ignorant(), sd)
    shaken = handshake(target, ENGLISH)
    assert failed(shaken) - {"steps"} == {"repeat"}
    characters = np.mean([len(text) for text in ENGLISH])
    assert 0.25 < shaken.noise / (sd * characters**0.5) < 1.3  # no score is above 0, which takes some noise away
    assert shaken.access in {"token scores", "full logits"}
    unsure = {check.name for check in shaken.checks if check.passed is None}
    assert ("greedy" in unsure) == (sd > 1)


def test_seeds_that_are_not_kept_are_noted_and_take_nothing_away() -> None:
    class Careless(Wrapped):
        calls = 0

        def _generate(self, prompts, tokens, samples, sampling, seed):
            self.calls += 1
            return super()._generate(prompts, tokens, samples, sampling, seed + self.calls)

    shaken = handshake(Careless(ignorant()), ENGLISH)
    assert failed(shaken) == {"seeds"}
    assert shaken.access == "full logits"


def test_a_model_that_always_says_the_same_is_not_believed_at_all() -> None:
    target = TextFunction(lambda prompts: ["I cannot help with that."] * len(prompts))
    shaken = handshake(target)
    assert (shaken.access, failed(shaken)) == ("none", {"answers"})
    weaker = believed(target, shaken)
    assert not isinstance(weaker, (TextTarget, FillTarget))
    assert weaker.access == "none"
    assert any("in the same way" in note for note in weaker.notes)


def test_what_is_not_believed_cannot_be_asked_and_the_reason_is_noted() -> None:
    for fault, kind in ((Late, TextTarget), (TopK, TokenScoreTarget)):
        target = fault(causal())
        shaken = handshake(target, ENGLISH)
        weaker = believed(target, shaken)
        assert isinstance(weaker, kind)
        assert isinstance(weaker, TokenScoreTarget) == (kind is TokenScoreTarget)
        assert not isinstance(weaker, LogitTarget)
        assert weaker.access == shaken.access == kind.access
        assert any("lowered the access from full logits" in note for note in weaker.notes)
        assert set(shaken.reasons) <= set(weaker.notes)
        assert weaker.generate(["time"], 3, seed=1) == target.generate(["time"], 3, seed=1)
        assert weaker.queries == 1
        if isinstance(weaker, TokenScoreTarget):
            assert weaker.score(["time"])[0].total == pytest.approx(target.score(["time"])[0].total)


def test_a_masked_model_is_asked_whether_its_answers_are_probabilities() -> None:
    class Half(FillTarget):
        def __init__(self, inner, change):
            super().__init__()
            self.inner, self.change = inner, change

        size = property(lambda self: self.inner.size)

        def encode(self, text):
            return self.inner.encode(text)

        def decode(self, tokens):
            return self.inner.decode(tokens)

        def _fill(self, texts):
            return [self.change(each) for each in self.inner.fill(texts)]

    sound = handshake(masked(), ENGLISH)
    assert (sound.access, failed(sound)) == ("fill-in", set())
    for change in (lambda logs: logs + 0.5, lambda logs: np.full_like(logs, -np.log(logs.shape[1]))):
        target = Half(masked(), change)
        shaken = handshake(target, ENGLISH)
        assert (shaken.access, failed(shaken)) == ("none", {"fill"})
        assert believed(target, shaken).access == "none"


def test_too_few_probes_are_refused() -> None:
    with pytest.raises(DataError, match="at least two probes"):
        handshake(ignorant(), ["a single probe of five words", "short"])


def test_prompts_that_are_all_alike_tell_nothing() -> None:
    """Texts of one kind may all begin with the same words: one answer is then no sign of a model that is deaf."""
    secrets = pin_secrets(8)
    result = handshake(memorizer(secrets), [secret.text for secret in secrets.twins[:4]], 0)
    answers = next(check for check in result.checks if check.name == "answers")
    assert answers.passed is None
    assert result.access == "full logits"
