"""Any callable that goes on with texts, and one door for all language models."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keepmum.errors import KeepmumError, TargetError
from keepmum.targets._base import Target
from keepmum.targets.text import FillTarget, Sampling, TextTarget
from keepmum.targets.torch import is_module
from keepmum.texts import repeats

ASKED = ("tokens", "sampling", "seed")


class TextFunction(TextTarget):
    """A function ``prompts -> texts``: a gateway, a pipeline, a model that turns one text into another.

    A function that names parameters ``tokens``, ``sampling`` or ``seed`` is told those; another decides for itself how
    much it writes and how it draws, and the report says so.

    Args:
      function: Called with a list of prompts; returns as many texts. For several samples a prompt is given again.
      echo: Whether each text begins with its prompt, which is then taken off.
    """

    def __init__(self, function: Callable[..., Sequence[str]], *, echo: bool = False) -> None:
        super().__init__()
        self._function, self._echo = function, echo
        try:
            takes = inspect.signature(function).parameters
        except (TypeError, ValueError):
            takes = {}  # type: ignore[assignment]  # a builtin that does not tell
        self._told = [name for name in ASKED if name in takes]
        if "sampling" not in self._told:
            self.notes.append("The model decides itself how it draws words: greedy and sampled texts may be the same.")

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        options: dict[str, Any] = {"tokens": tokens, "sampling": sampling, "seed": seed}
        asked = [prompt for prompt in prompts for _ in range(samples)]
        try:
            answer: list[Any] = list(self._function(asked, **{name: options[name] for name in self._told}))
        except KeepmumError:
            raise
        except Exception as err:
            first = (str(err).strip().splitlines() or ["no reason given"])[0][:300]
            if any(repeats(" ".join(first.split()), prompt) for prompt in prompts):  # errors stand in reports
                first = "its words repeat a text and are left out"
            raise TargetError(f"the function could not go on with texts ({type(err).__name__}: {first})") from err
        if len(answer) != len(asked) or not all(isinstance(text, str) for text in answer):
            raise TargetError(f"expected {len(asked)} texts from the function, got {len(answer)} or something else")
        if self._echo:
            if not all(text.startswith(prompt) for text, prompt in zip(answer, asked, strict=True)):
                raise TargetError("expected texts that begin with their prompts, got others: leave out echo=True")
            answer = [text[len(prompt) :] for text, prompt in zip(answer, asked, strict=True)]
        return [answer[at : at + samples] for at in range(0, len(answer), samples)]


def as_text_target(model: Any) -> TextTarget | FillTarget:
    """Target for a target, a folder or GGUF file, a model of transformers with its tokenizer, or a callable.

    Args:
      model: What is to be audited: a text target; the path of a folder as `keepmum.targets.HFCausal` and
        `keepmum.targets.HFMasked` read it, or of a GGUF file; a pair ``(model, tokenizer)`` of transformers; or a
        function ``prompts -> texts``.

    Raises:
      TargetError: It is none of these.
      UnsafeFileError: Weights as a pickle.
      MissingExtraError: A package is not installed.
    """
    from keepmum.targets.transformers import HFCausal, HFMasked

    if isinstance(model, (TextTarget, FillTarget)):
        return model
    if isinstance(model, (str, os.PathLike)):
        path = Path(model)
        if path.suffix == ".gguf":
            return HFCausal(path.parent, gguf_file=path.name)
        return HFMasked(path) if _is_masked(_settings(path)) else HFCausal(path)
    if isinstance(model, tuple) and len(model) == 2 and is_module(model[0]):
        masked = _is_masked({"architectures": [type(model[0]).__name__]})
        return HFMasked(*model) if masked else HFCausal(*model)
    if is_module(model):
        raise TargetError(
            "expected a module together with its tokenizer, got the module alone: give (model, tokenizer), or "
            "keepmum.targets.TorchLM(module, encode, decode)"
        )
    if callable(model) and not isinstance(model, (type, Target)):
        return TextFunction(model)
    raise TargetError(
        "expected a language model as a folder, a pair (model, tokenizer) or a function prompts -> texts, got "
        f"{type(model).__name__}"
    )


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # the loader tells what is missing
    return settings if isinstance(settings, dict) else {}


def _is_masked(settings: dict[str, Any]) -> bool:
    names = settings.get("architectures") or []
    return any("MaskedLM" in str(name) or "ForPreTraining" in str(name) for name in names)
