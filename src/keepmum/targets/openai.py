"""Models that are served behind an OpenAI-compatible interface, as far as the server lets them be asked.

What a server gives is found out by asking: scores of a given text (``echo`` or ``prompt_logprobs``), or texts alone,
by completions or by chat. The target's notes say which. For models that one owns or may audit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from keepmum.errors import TargetError
from keepmum.targets import _replies
from keepmum.targets._aligned import cut
from keepmum.targets._cassette import Answer, Cassette
from keepmum.targets._client import Client, Endpoint
from keepmum.targets._limits import Quota
from keepmum.targets._protocols import Chat, Completions, Echo, PromptScores, Protocol, Way, likely
from keepmum.targets.text import GREEDY, Sampling, Scored, TextTarget, TokenScoreTarget

__all__ = ["Cassette", "Chat", "Client", "Endpoint", "Quota", "ServedScores", "ServedText", "connect", "from_url"]

PROBE = "The keeper of the old lighthouse wrote 1234 letters, and kept a copy of every one."
"""What a server is asked about to see what it gives."""


def from_url(
    url: str,
    model: str,
    *,
    key_env: str = "OPENAI_API_KEY",
    quota: Quota | None = None,
    cassette: Cassette | str | Path | None = None,
    allow_http: bool = False,
) -> ServedText | ServedScores:
    """A served model.

    Args:
      url: ``https://host/v1``; with ``/completions`` or ``/chat/completions`` behind it, only that is asked.
      model: Its name there.
      key_env: The environment variable that holds the key, if the server wants one.
      quota: How fast it is asked and for how much.
      cassette: File in which answers are kept, so that a killed run goes on where it stopped.
      allow_http: Send texts and key in clear to another machine.

    Raises:
      ConfigError: An address that cannot be used, or a cassette that cannot be read.
      TargetError: The server cannot be reached, does not have the model, or gives no texts.
      MissingExtraError: httpx is not installed.
    """
    tape = Cassette(cassette) if isinstance(cassette, (str, Path)) else cassette
    return connect(Client(Endpoint(url, model, key_env, allow_http), quota, tape))


def connect(client: Client, chat: Chat | None = None) -> ServedText | ServedScores:
    """The most that a server gives of a model.

    Args:
      client: Who asks it.
      chat: What is said to a model that only chats.

    Raises:
      TargetError: The server cannot be reached, does not have the model, or gives no texts.
    """
    refused: list[str] = []
    where = client.endpoint.path
    if where != Chat.path:
        for way in (Echo(), PromptScores()):
            why = _scores_nothing(client, way)
            if why is None:
                return ServedScores(client, way)
            refused.append(f"{way.name}: {why}")
        protocol: Protocol = Completions()
        told = _writes(client, protocol, refused)
        if told is not None:
            return ServedText(client, protocol, told, tuple(refused))
    if where != Completions.path:
        protocol = chat = chat or Chat()
        told = _writes(client, protocol, refused)
        if told is None and "max_completion_tokens" in refused[-1]:
            protocol = replace(chat, limit="max_completion_tokens")
            told = _writes(client, protocol, refused)
        if told is not None:
            return ServedText(client, protocol, told, tuple(refused))
    raise TargetError(f"expected completions or chat from {client.endpoint.url}, got neither: {refused[-1]}")


class _Served:
    """What all served models share: they write, and may tell the likeliest next tokens."""

    client: Client
    protocol: Protocol
    tells_likely: bool
    _count: Callable[[int], None]

    def likely_next(self, prompts: Sequence[str]) -> list[dict[str, float]]:
        """The likeliest tokens after each prompt, as many as the server tells: token → log-probability in nats.

        Raises:
          TargetError: The server does not tell them.
        """
        if not self.tells_likely:
            raise TargetError(f"{self.client.endpoint.url} does not tell the likeliest tokens: ask for texts alone")
        self._count(len(prompts))
        bodies = [{**self.protocol.request(p, 1, GREEDY, 0), **self.protocol.tops()} for p in prompts]
        return [likely(a) for a in self.client.ask_all(self.protocol.path, bodies, [0] * len(bodies))]

    def _generate(
        self, prompts: list[str], tokens: int, samples: int, sampling: Sampling, seed: int
    ) -> list[list[str]]:
        """One request a text: not every server writes several, and so each finished one is kept."""
        seeds = [int(np.random.SeedSequence([seed, draw]).generate_state(1)[0] >> 1) for draw in range(samples)]
        bodies = [self.protocol.request(prompt, tokens, sampling, each) for prompt in prompts for each in seeds]
        answers = self.client.ask_all(self.protocol.path, bodies, list(range(samples)) * len(prompts))
        texts = [self.protocol.text(answer) for answer in answers]
        return [texts[i * samples : (i + 1) * samples] for i in range(len(prompts))]


class ServedText(_Served, TextTarget):
    """A served model that gives texts.

    Args:
      client: Who asks it.
      protocol: By completions or by chat.
      tells_likely: Whether it tells the likeliest tokens beside those it writes.
      refused: Why it gives no more, for the notes.
    """

    def __init__(
        self, client: Client, protocol: Protocol, tells_likely: bool = False, refused: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.client, self.protocol, self.tells_likely = client, protocol, tells_likely
        self.notes.append(f"{_named(client)} by {protocol.path}: it gives texts" + _beside(protocol, tells_likely))
        if refused:
            self.notes.append(f"No scores of given texts: {'; '.join(refused)}.")


class ServedScores(_Served, TokenScoreTarget):
    """A served model that scores given texts, by completions.

    Args:
      client: Who asks it.
      way: How it scores them.
    """

    protocol: Protocol = Completions()
    tells_likely = True

    def __init__(self, client: Client, way: Way) -> None:
        super().__init__()
        self.client, self.way = client, way
        self.notes.append(f"{_named(client)} by {Completions.path}: it scores given texts, by {way.name}.")

    def _score(self, texts: list[str], prefixes: list[str]) -> list[Scored]:
        asked = [i for i, text in enumerate(texts) if text]
        bodies = [self.way.request(prefixes[i] + texts[i]) for i in asked]
        answers = self.client.ask_all(Completions.path, bodies, [0] * len(asked))
        scored = {i: cut(self.way.read(a), prefixes[i], texts[i]) for i, a in zip(asked, answers, strict=True)}
        nothing = Scored((), np.empty(0, dtype=np.intp), np.empty(0))
        return [scored.get(i, nothing) for i in range(len(texts))]


def _named(client: Client) -> str:
    return f"The model {client.endpoint.model} at {client.endpoint.url} was asked"


def _beside(protocol: Protocol, tells_likely: bool) -> str:
    return f", and the {protocol.most} likeliest tokens at each place." if tells_likely else " alone."


def _scores_nothing(client: Client, way: Way) -> str | None:
    """Why a server does not score a text in this way, or None."""
    answer = _probe(client, Completions.path, way.request(PROBE))
    if answer.status != 200:
        return _why(answer)
    try:
        scored = cut(way.read(answer.content), "", PROBE)
    except TargetError as err:
        return str(err)
    return None if len(scored.log_probs) else "no scores of the text are told"


def _writes(client: Client, protocol: Protocol, refused: list[str]) -> bool | None:
    """Whether a server tells the likeliest tokens beside what it writes; None if it does not write."""
    plain = protocol.request(PROBE, 1, GREEDY, 0)
    for body in ({**plain, **protocol.tops()}, plain):
        answer = _probe(client, protocol.path, body)
        if answer.status == 200:
            protocol.text(answer.content)
            return bool(likely(answer.content)) if body is not plain else False
    refused.append(f"{protocol.path}: {_why(answer)}")
    return None


def _probe(client: Client, path: str, body: dict[str, Any]) -> Answer:
    """What a server says; refusals are told in the notes.

    Raises:
      TargetError: It does not have the model.
    """
    try:
        return client.ask(path, body, refusable=True)
    except _replies.NoModelError as err:
        known = client.models()
        has = f"; it has {', '.join(known[:8])}{' …' * (len(known) > 8)}" if known else ""
        raise TargetError(f"{err}{has}: give the name that the server knows") from err


def _why(answer: Answer) -> str:
    said = str(answer.content["error"])
    return f"refused with {answer.status}, {said[:100]}{'…' * (len(said) > 100)}"
