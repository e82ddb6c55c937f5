"""A tiny GPT-2 with random weights and a real byte-pair tokenizer: nothing is learned, all mechanics are real."""

from __future__ import annotations

from functools import cache

from text_zoo import sentences

CONTEXT = 96


@cache
def tokenizer():
    from keepmum.training import train_tokenizer

    return train_tokenizer([*sentences(150, 0), "0123456789", "Mr. Bond's café"], 420)


@cache
def module(seed: int = 0):
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = transformers.GPT2Config(
            vocab_size=len(tokenizer()), n_positions=CONTEXT, n_embd=32, n_layer=2, n_head=2, bos_token_id=0,
            eos_token_id=0, initializer_range=0.3,
        )  # fmt: skip
        return transformers.GPT2LMHeadModel(config).eval()


def causal(seed: int = 0):
    from keepmum.targets import HFCausal

    return HFCausal(module(seed), tokenizer())


def bare(seed: int = 0):
    """The same weights as a module that offers nothing: no masks, no cache, logits alone; and no offsets."""
    import torch

    from keepmum.targets import Reading, TorchLM

    class Bare(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, tokens):
            return self.inner(input_ids=tokens, use_cache=False).logits

    words = tokenizer()
    return TorchLM(
        Bare(module(seed)),
        lambda text: words(text, add_special_tokens=False)["input_ids"],
        words.decode,
        Reading(beginning=0, end=0, context=CONTEXT),
    )


@cache
def masked_tokenizer():
    from keepmum.training import train_tokenizer

    return train_tokenizer(sentences(150, 0), 420, masked=True)


def masked(seed: int = 0):
    import torch
    import transformers

    from keepmum.targets import HFMasked

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = transformers.BertConfig(
            vocab_size=len(masked_tokenizer()), max_position_embeddings=64, hidden_size=32, num_hidden_layers=2,
            num_attention_heads=2, intermediate_size=64, initializer_range=0.3, pad_token_id=0,
        )  # fmt: skip
        return HFMasked(transformers.BertForMaskedLM(config).eval(), masked_tokenizer())
