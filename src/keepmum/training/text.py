"""Small language models, trained here from nothing or from a given one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from keepmum.errors import ConfigError, DataError, TargetError
from keepmum.targets._hub import import_transformers
from keepmum.targets._tensors import import_torch
from keepmum.targets.transformers import HFCausal, HFMasked
from keepmum.training._text_batches import masked_batches, packed_batches
from keepmum.training._torch_data import Seeds, built, draw_from, quiet
from keepmum.training.private_text import PrivateTexts, train_texts

END = "<|endoftext|>"
MARKS = ("[PAD]", "[CLS]", "[SEP]", "[MASK]")


@dataclass(frozen=True)
class TextRecipe:
    """How a small language model is made.

    Attributes:
      layers: Blocks of attention.
      width: Numbers that stand for a token, a multiple of the heads.
      heads: Of attention.
      vocabulary: Tokens that the tokenizer learns, single bytes and marks among them.
      context: Tokens that the model can read.
      epochs: Passes over the texts; fewer stop early.
      batch: Texts (of a masked model) or windows of ``context`` tokens (of a causal one) in a step.
      lr: Highest learning rate, reached after a twentieth of the steps; from there down to a tenth along a cosine.
      weight_decay: As AdamW means it.
      masked: Share of tokens that a masked model is asked for.

    Raises:
      ConfigError: A value out of range.
    """

    layers: int = 4
    width: int = 128
    heads: int = 4
    vocabulary: int = 1024
    context: int = 256
    epochs: int = 6
    batch: int = 4
    lr: float = 3e-3
    weight_decay: float = 0.01
    masked: float = 0.35

    def __post_init__(self) -> None:
        for name in ("layers", "width", "heads", "vocabulary", "context", "epochs", "batch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"expected {name} to be a whole number of at least 1, got {value!r}")
        if self.width % self.heads or self.vocabulary < 300 or self.context < 8:
            raise ConfigError(
                "expected a width that is a multiple of the heads, a vocabulary of at least 300 and a context of at "
                f"least 8 tokens, got {self.width} / {self.heads}, {self.vocabulary} and {self.context}"
            )
        if not 0 < self.lr < 1 or not 0 <= self.weight_decay < 100 or not 0 < self.masked < 1:
            raise ConfigError(
                "expected a learning rate between 0 and 1, a weight decay of 0 or more and a masked share between "
                f"0 and 1, got {self.lr}, {self.weight_decay} and {self.masked}"
            )


CAUSAL = TextRecipe()
MASKED = TextRecipe(layers=3, context=128, epochs=12, batch=16, lr=2e-3)


def train_causal(
    texts: Iterable[str],
    *,
    seed: int = 0,
    tokenizer: Any = None,
    start: HFCausal | None = None,
    recipe: TextRecipe = CAUSAL,
    private: PrivateTexts | None = None,
    **changes: Any,
) -> HFCausal:
    """Train a small model in the manner of GPT-2, on one thread; the same seed gives the same model.

    Texts stand one after another in a new random order each epoch, an end-of-text token between any two; the model
    reads windows of that. Each text has been read ``epochs`` times, however often a window divided it.

    Args:
      texts: What it is trained on; a text that is given twice is read twice as often.
      seed: Of first weights and order.
      tokenizer: One of transformers with an end-of-text token, such as another model's; trained on the texts if None.
      start: A model to go on from, with its tokenizer and its shape; it stays as it is.
      recipe: How it is made.
      private: How it is trained privately, text by text; it wants a tokenizer, or a model to go on from.
      changes: Fields of the recipe that are to be other, such as ``epochs=3``.

    Raises:
      ConfigError: A setting that there is not, or out of range; a tokenizer that would be learned from texts that are
        to be kept private.
      DataError: No texts.
      TargetError: Training diverged.
      MissingExtraError: transformers is not installed.
    """
    transformers, settings, given = import_transformers(), _changed(recipe, changes), _given(texts)
    words = _tokenizer_of(start, tokenizer)
    if words is None and private is not None:
        raise ConfigError(
            "expected a tokenizer or a model to start from, got neither: one learned from the texts gives them away"
        )
    words = words or train_tokenizer(given, settings.vocabulary)
    end, seeds = words.eos_token_id, Seeds.of(seed)
    if end is None:
        raise ConfigError("expected a tokenizer with an end-of-text token, got one without")
    if start is not None:
        settings = replace(settings, context=min(settings.context, start.reading.context or settings.context))

    def build() -> Any:
        config = transformers.GPT2Config(
            vocab_size=len(words), n_positions=settings.context, n_embd=settings.width, n_layer=settings.layers,
            n_head=settings.heads, bos_token_id=end, eos_token_id=end,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, activation_function="gelu_pytorch_tanh",
        )  # fmt: skip
        return transformers.GPT2LMHeadModel(config)

    ids = [list(words(text, add_special_tokens=False, verbose=False)["input_ids"]) for text in given]
    model = _copied(start) if start is not None else built(build, seeds.weights)
    if private is None:
        _train(model, settings, seeds, lambda rng: packed_batches(ids, end, settings, rng))
        return HFCausal(model, words)
    train_texts(model, ids, end, settings, private, seeds)
    _check_finite(model)
    target = HFCausal(model, words)
    target.notes.append(private.statement(len(ids), settings.epochs).headline)
    return target


def train_masked(
    texts: Iterable[str],
    *,
    seed: int = 0,
    tokenizer: Any = None,
    start: HFMasked | None = None,
    recipe: TextRecipe = MASKED,
    **changes: Any,
) -> HFMasked:
    """Train a small masked model in the manner of BERT, on one thread; the same seed gives the same model.

    Of each text a random share of the tokens is asked for, another one each epoch: four in five of them are masked,
    one in ten is replaced by another, one in ten stands as it is. A text longer than the context is read in parts.

    Args:
      texts: What it is trained on.
      seed: Of first weights, order and masks.
      tokenizer: One of transformers with a mask; trained on the texts if None.
      start: A model to go on from, with its tokenizer and its shape; it stays as it is.
      recipe: How it is made.
      changes: Fields of the recipe that are to be other.

    Raises:
      ConfigError: A setting that there is not, or out of range.
      DataError: No texts.
      TargetError: Training diverged.
      MissingExtraError: transformers is not installed.
    """
    transformers, settings, given = import_transformers(), _changed(recipe, changes), _given(texts)
    words = _tokenizer_of(start, tokenizer) or train_tokenizer(given, settings.vocabulary, masked=True)
    seeds = Seeds.of(seed)
    if words.mask_token_id is None:
        raise ConfigError("expected a tokenizer with a mask, got one without")

    def build() -> Any:
        config = transformers.BertConfig(
            vocab_size=len(words), max_position_embeddings=settings.context, hidden_size=settings.width,
            num_hidden_layers=settings.layers, num_attention_heads=settings.heads,
            intermediate_size=4 * settings.width, pad_token_id=words.pad_token_id,
            hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        )  # fmt: skip
        return transformers.BertForMaskedLM(config)

    marks = len(words("")["input_ids"])
    ids = [list(words(text, add_special_tokens=False, verbose=False)["input_ids"]) for text in given]
    room = settings.context - marks
    parts = [part[at : at + room] for part in ids for at in range(0, len(part), room)]
    model = _copied(start) if start is not None else built(build, seeds.weights)
    _train(model, settings, seeds, lambda rng: masked_batches(parts, words, settings, rng))
    return HFMasked(model, words)


def train_tokenizer(texts: Sequence[str], vocabulary: int = 1024, *, masked: bool = False) -> Any:
    """A byte-pair tokenizer of transformers, learned from texts; each digit is a token.

    Args:
      texts: What it is learned from; it gives back any text, byte by byte where it must.
      vocabulary: Tokens at most.
      masked: Whether it has the marks of a masked model, and puts them around a text, instead of an end-of-text token.

    Raises:
      MissingExtraError: transformers or tokenizers is not installed.
    """
    transformers = import_transformers()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

    marks = list(MARKS) if masked else [END]
    learned = Tokenizer(models.BPE())
    digits, pieces = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    learned.pre_tokenizer = pre_tokenizers.Sequence([digits, pieces])
    learned.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learned.train_from_iterator(texts, trainer)
    kind = transformers.PreTrainedTokenizerFast
    if not masked:
        return kind(tokenizer_object=learned, bos_token=END, eos_token=END, pad_token=END)
    learned.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    pad, begin, end, mask = MARKS
    return kind(tokenizer_object=learned, pad_token=pad, cls_token=begin, sep_token=end, mask_token=mask)


def _train(model: Any, recipe: TextRecipe, seeds: Seeds, batches: Any) -> None:
    """Train in place: ``batches(rng)`` are those of an epoch, inputs and answers, -100 where none is asked for."""
    torch = import_torch()
    rng = np.random.default_rng(seeds.order)
    with quiet(torch.device("cpu")):
        draw_from(seeds.noise, torch.device("cpu"))
        model.train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.lr, weight_decay=recipe.weight_decay)
        steps, step = None, 0
        for _ in range(recipe.epochs):
            drawn = list(batches(rng))
            steps = steps or recipe.epochs * len(drawn)
            for inputs, answers in drawn:
                for group in optimizer.param_groups:
                    group["lr"] = recipe.lr * pace(step / steps)
                optimizer.zero_grad()
                logits = model(**inputs).logits
                torch.nn.functional.cross_entropy(logits.flatten(0, 1), answers.flatten()).backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                step += 1
        model.eval()
    _check_finite(model)


def _check_finite(model: Any) -> None:
    if not all(bool(value.isfinite().all()) for value in model.parameters()):
        raise TargetError("training diverged (weights are no longer finite): take a smaller learning rate")


def pace(done: float) -> float:
    """Share of the highest learning rate, by the share of steps done."""
    return float(min(1.0, (done + 1e-3) / 0.05, 0.55 + 0.45 * np.cos(np.pi * min(1.0, max(0.0, done - 0.05) / 0.95))))


def _changed(recipe: TextRecipe, changes: dict[str, Any]) -> TextRecipe:
    unknown = sorted(set(changes) - {f.name for f in fields(recipe)})
    if unknown:
        raise ConfigError(f"expected settings of TextRecipe, got {unknown[0]!r}: see its fields")
    return replace(recipe, **changes)


def _given(texts: Iterable[str]) -> list[str]:
    given: list[Any] = list(texts)
    if not given or not all(isinstance(text, str) and text for text in given):
        raise DataError("expected texts of at least one character to train on, got none or something else among them")
    return given


def _tokenizer_of(start: HFCausal | HFMasked | None, tokenizer: Any) -> Any:
    if start is not None and tokenizer is not None:
        raise ConfigError("expected a model to start from or a tokenizer, got both: the model brings its own")
    return tokenizer if start is None else start.tokenizer


def _copied(start: HFCausal | HFMasked) -> Any:
    import copy

    return copy.deepcopy(start.model)
