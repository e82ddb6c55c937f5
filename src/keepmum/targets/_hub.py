"""Language models from a folder: safetensors or GGUF, never a pickle, never from the network."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from keepmum.errors import MissingExtraError, TargetError, UnsafeFileError
from keepmum.targets._tensors import import_torch

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
ADAPTER = "adapter_config.json"


def import_transformers() -> Any:
    """transformers, or an error that tells how to install it."""
    import_torch()
    try:
        import transformers
    except ImportError as err:
        raise MissingExtraError("transformers", "text") from err
    return transformers


@contextmanager
def silent(transformers: Any) -> Iterator[None]:
    """No progress bars, warnings and advice while something is loaded or saved."""
    talk = transformers.utils.logging
    level, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity_error()
    talk.disable_progress_bar()
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stderr(io.StringIO()):  # some bars obey nobody
            yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()


@contextmanager
def discreet() -> Iterator[None]:
    """No advice about padding while a model is asked: nothing is padded without saying so."""
    talk = import_transformers().utils.logging
    level = talk.get_verbosity()
    talk.set_verbosity_error()
    try:
        yield
    finally:
        talk.set_verbosity(level)


def load_folder(path: Path, kind: str, gguf_file: str | None = None, base: Path | None = None) -> tuple[Any, Any]:
    """Model and tokenizer of a folder; the model in single precision, in evaluation mode, on the processor.

    Args:
      path: Holds ``config.json``, the tokenizer and weights as safetensors; or a GGUF file; or a PEFT adapter.
      kind: The class of transformers that loads it, such as ``"AutoModelForCausalLM"``.
      gguf_file: Name of a GGUF file in the folder.
      base: Folder of the model that an adapter was trained on, where the adapter names none that is a folder.

    Raises:
      UnsafeFileError: Weights as a pickle alone.
      TargetError: No folder, or no model of this kind in it.
      MissingExtraError: A package is not installed.
    """
    transformers = import_transformers()
    if not path.is_dir():
        raise TargetError(f"expected a folder with config.json, a tokenizer and safetensors, got {path}")
    if (path / ADAPTER).exists():
        return _load_adapter(path, kind, base)
    options: dict[str, Any] = {"local_files_only": True}
    if gguf_file is not None:
        for package in ("gguf", "accelerate"):
            if find_spec(package) is None:
                raise MissingExtraError(package, "gguf")
        options["gguf_file"] = gguf_file
    else:
        _refuse_pickles(path)
    try:
        with silent(transformers):
            weights = {} if gguf_file else {"use_safetensors": True}
            model = getattr(transformers, kind).from_pretrained(
                str(path), trust_remote_code=False, **weights, **options
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(str(path), trust_remote_code=False, **options)
    except Exception as err:  # loaders raise what they like, Rust's among it
        first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
        raise TargetError(
            f"expected a language model that transformers can load in {path}, got {type(err).__name__}: {first}"
        ) from err
    # a model that was quantized in its file refuses the method of its own, though its weights are plain by now
    return import_torch().nn.Module.float(model).eval(), tokenizer


def _refuse_pickles(path: Path) -> None:
    if any(path.glob("*.safetensors")):
        return
    if pickles := sorted(file.name for pattern in PICKLES for file in path.glob(pattern)):
        raise UnsafeFileError(
            f"expected weights as safetensors, got {pickles[0]}, a pickle that could run code: load it where you trust "
            "it and save it with save_pretrained(folder, safe_serialization=True)"
        )
    if gguf := sorted(file.name for file in path.glob("*.gguf")):
        raise TargetError(f"expected weights as safetensors in {path}, got GGUF: give gguf_file={gguf[0]!r}")
    raise TargetError(f"expected weights as safetensors in {path}, found none")


def _load_adapter(path: Path, kind: str, base: Path | None) -> tuple[Any, Any]:
    if find_spec("peft") is None:
        raise MissingExtraError("peft", "peft")
    import peft

    _refuse_pickles(path)
    named = json.loads((path / ADAPTER).read_text(encoding="utf-8")).get("base_model_name_or_path")
    below = base if base is not None else Path(str(named))
    if not below.is_dir():
        raise TargetError(f"expected the folder of the model that the adapter was trained on, got {below}: give base=…")
    model, tokenizer = load_folder(below, kind)
    try:
        with silent(import_transformers()):
            adapted = peft.PeftModel.from_pretrained(model, str(path), local_files_only=True)
    except Exception as err:
        raise TargetError(f"expected a PEFT adapter that fits {below} in {path}, got {type(err).__name__}") from err
    return adapted.float().eval(), tokenizer
