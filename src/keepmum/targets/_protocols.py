"""The two ways in which OpenAI-compatible servers are asked, and the two in which they score a given text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, final

from keepmum.errors import TargetError
from keepmum.targets._aligned import BROKEN, UNTOLD, Told
from keepmum.targets.text import Sampling

Body = Mapping[str, Any]


class Protocol(ABC):
    """How a text is asked for, and where it stands in the answer."""

    path: ClassVar[str]
    most: ClassVar[int]  # tokens that a server tells of at each place
    limit: str = "max_tokens"

    @abstractmethod
    def prompt(self, text: str) -> dict[str, Any]:
        """The part of a request that holds the prompt."""

    @abstractmethod
    def tops(self) -> dict[str, Any]:
        """The part of a request that asks for the likeliest tokens."""

    @abstractmethod
    def text(self, answer: Body) -> str:
        """The text that was written."""

    @final
    def request(self, text: str, tokens: int, sampling: Sampling, seed: int) -> dict[str, Any]:
        """A whole request, without the model's name."""
        drawn = {} if sampling.top_k is None else {"top_k": sampling.top_k}
        return {
            **self.prompt(text),
            self.limit: tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": seed,
            **drawn,
        }


class Completions(Protocol):
    """``/completions``: the model goes on with a text."""

    path = "/completions"
    most = 5

    def prompt(self, text: str) -> dict[str, Any]:
        """The text itself."""
        return {"prompt": text}

    def tops(self) -> dict[str, Any]:
        """How many of the likeliest tokens."""
        return {"logprobs": self.most}

    def text(self, answer: Body) -> str:
        """What was written, without the prompt."""
        text = choice(answer).get("text")
        if not isinstance(text, str):
            raise TargetError(f"expected a text in the answer from {self.path}, got {type(text).__name__}")
        return text


@dataclass(frozen=True)
class Chat(Protocol):
    """``/chat/completions``: the model answers a message.

    Attributes:
      message: What the user says; ``{prompt}`` stands for the prompt.
      limit: How the number of tokens is called; some servers take ``max_completion_tokens`` alone.
    """

    path = "/chat/completions"
    most = 20
    message: str = "{prompt}"
    limit: str = "max_tokens"

    def prompt(self, text: str) -> dict[str, Any]:
        """One message of the user."""
        return {"messages": [{"role": "user", "content": self.message.replace("{prompt}", text)}]}

    def tops(self) -> dict[str, Any]:
        """How many of the likeliest tokens."""
        return {"logprobs": True, "top_logprobs": self.most}

    def text(self, answer: Body) -> str:
        """What was answered; nothing where the model declined or wrote no words."""
        message = choice(answer).get("message")
        content = message.get("content", 0) if isinstance(message, dict) else 0
        if content is not None and not isinstance(content, str):
            raise TargetError(f"expected a message with content in the answer from {self.path}, got none")
        return content or ""


def choice(answer: Body) -> Body:
    """The one text of an answer.

    Raises:
      TargetError: None, or several.
    """
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        count = len(choices) if isinstance(choices, list) else "no list"
        raise TargetError(f"expected one choice in the answer, got {count}")
    return choices[0]


def likely(answer: Body) -> dict[str, float]:
    """The likeliest first tokens of what was written, token → log-probability in nats; empty where it is not told."""
    logs = choice(answer).get("logprobs") or {}
    try:
        if logs.get("content"):
            return {str(each["token"]): float(each["logprob"]) for each in logs["content"][0]["top_logprobs"]}
        first = (logs.get("top_logprobs") or [{}])[0] or {}
        return {str(token): float(value) for token, value in first.items()}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as err:
        raise TargetError("expected top_logprobs as tokens with numbers, got something else") from err


class Way(ABC):
    """How a server scores a text that it is given."""

    name: ClassVar[str]

    @abstractmethod
    def request(self, text: str) -> dict[str, Any]:
        """What is asked, without the model's name. One token is written, since not every server writes none."""

    @abstractmethod
    def told(self, answer: Body) -> Told:
        """What the answer tells of the tokens."""

    @final
    def read(self, answer: Body) -> Told:
        """What the answer tells of the tokens.

        Raises:
          TargetError: It tells nothing of the tokens of the text, or nothing that can be read.
        """
        try:
            return self.told(answer)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as err:
            raise TargetError(f"expected log-probabilities of the given text by {self.name}, got none") from err


class Echo(Way):
    """The text is repeated, with ``logprobs`` of its tokens."""

    name = "echo"

    def request(self, text: str) -> dict[str, Any]:
        """The text back, and one token."""
        return {"prompt": text, "max_tokens": 1, "temperature": 0.0, "echo": True, "logprobs": 1}

    def told(self, answer: Body) -> Told:
        """Tokens, log-probabilities, the likeliest and offsets."""
        logs = choice(answer)["logprobs"]
        tokens = [_readable(token) for token in logs["tokens"]]
        values = [None if value is None else float(value) for value in logs["token_logprobs"]]
        tops, offsets = logs.get("top_logprobs"), logs.get("text_offset")
        if len(values) != len(tokens) or any(each and len(each) != len(tokens) for each in (tops, offsets)):
            raise TargetError(f"expected {len(tokens)} log-probabilities, one a token, got other numbers")
        sent = (answer.get("usage") or {}).get("prompt_tokens")
        if sent and BROKEN in tokens[-1]:  # what was written could be taken for a part of the text's last character
            tokens, values = tokens[:sent], values[:sent]
        return Told(
            tuple(tokens),
            tuple(values),
            _likeliest(values, tops or []),
            tuple(int(offset) for offset in offsets) if offsets else None,
        )


class PromptScores(Way):
    """``prompt_logprobs``: the score of each token of the text, with its rank."""

    name = "prompt_logprobs"

    def request(self, text: str) -> dict[str, Any]:
        """The tokens of the text and no others: with more of them it is not said which one is the text's."""
        return {"prompt": text, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}

    def told(self, answer: Body) -> Told:
        """Tokens, log-probabilities and whether their rank is the first."""
        places = choice(answer)["prompt_logprobs"]
        if not isinstance(places, list) or not all(place and len(place) == 1 for place in places[1:]):
            raise TargetError(f"expected one token at each place of {self.name}, got several or none")
        # the first is not told, since nothing stands before it: neither its score nor which token it is
        told = [next(iter(place.values())) for place in places[1:]]
        ranks = [entry.get("rank") for entry in told]
        return Told(
            (UNTOLD, *(_readable(entry["decoded_token"]) for entry in told)),
            (None, *(float(entry["logprob"]) for entry in told)),
            None if None in ranks else (False, *(rank == 1 for rank in ranks)),
        )


def _readable(token: Any) -> str:
    """A token as text; one that is spelled in bytes is a part of a character."""
    if not isinstance(token, str):
        raise TypeError("expected a token as text")
    return BROKEN if token.startswith("bytes:\\x") else token


def _likeliest(values: list[float | None], tops: list[Mapping[str, float] | None]) -> tuple[bool, ...] | None:
    """Whether no token was likelier than the text's own; None where the likeliest is not told."""
    if not tops or any(value is not None and not top for value, top in zip(values, tops, strict=False)):
        return None
    places = zip(values, tops, strict=False)
    return tuple(value is not None and value >= max((top or {"": 0.0}).values()) - 1e-9 for value, top in places)
