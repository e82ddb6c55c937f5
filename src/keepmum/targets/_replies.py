"""What a server says, as an answer or as an error in one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from keepmum.errors import DataError, KeepmumError, TargetError
from keepmum.targets._cassette import Answer
from keepmum.texts import repeats

if TYPE_CHECKING:
    from keepmum.targets._client import Endpoint

TOO_LONG = re.compile(
    r"context.{0,20}(?:length|window|size)|maximum.{0,20}(?:length|tokens)|too (?:long|large)", re.IGNORECASE
)
NO_MODEL = re.compile(
    r"model\b.{0,200}\b(?:does not exist|not found|is unknown)|(?:unknown|invalid|no such) model|model_not_found",
    re.IGNORECASE,
)
HIDDEN = "[key]"
LIMITS = ("max_tokens", "max_completion_tokens")


class NoModelError(TargetError):
    """The server does not have the model."""


def read(response: Any, path: str, endpoint: Endpoint, secret: str) -> Answer:
    """A response as an answer; of a refusal only what it says. The key is taken out, should the server repeat it.

    Raises:
      TargetError: Not allowed, or nothing that can be read.
    """
    status = int(response.status_code)
    if status in (401, 403):
        state = "the one there is not taken" if secret else "which is not set"
        raise TargetError(
            f"{endpoint.url} refuses access ({status}): expected a valid key in the environment variable "
            f"{endpoint.key_env or 'named by key_env'}, {state}"
        )
    if status != 200:
        return Answer(status, {"error": _said(response, secret)})
    text = _without(response.text, secret)
    try:
        content = json.loads(text)
        if not isinstance(content, dict) or not isinstance(content["choices"], list):
            raise TypeError
    except (ValueError, KeyError, TypeError) as err:
        kind = response.headers.get("content-type", "something else").split(";")[0]
        raise TargetError(
            f"expected a JSON object with choices from {endpoint.url}{path}, got {kind}: is it the address of the API? "
            "It mostly ends in /v1"
        ) from err
    usage = content.get("usage") or {}
    counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    told, wrote = (count if isinstance(count, int) and count >= 0 else 0 for count in counts)
    return Answer(status, content, told, wrote)


def final(answer: Answer) -> bool:
    """Whether a refusal is about what was asked, and not about the model's name, the address or the moment."""
    return answer.status not in (429, 502, 503, 504) and answer.status >= 400 and not no_such_model(answer)


def refusal(answer: Answer, path: str, body: Mapping[str, Any], endpoint: Endpoint) -> KeepmumError:
    """Why a request was not answered; the text is not repeated, since errors stand in reports."""
    said = str(answer.content["error"])
    too_long = answer.status in (400, 413, 422) and TOO_LONG.search(said)
    if any(repeats(said, text) for text in texts_of(body)):
        said = "(the server's words repeat the text and are left out)"
    said = said[:200] + "…" * (len(said) > 200)
    if too_long:
        return DataError(
            f"a text is longer than {endpoint.model} can read: {said}; shorten it, since it is never cut here"
        )
    if 300 <= answer.status < 400:
        return TargetError(f"{endpoint.url} leads elsewhere ({answer.status}): give the address that it leads to")
    if no_such_model(answer):
        return NoModelError(f"expected a model that {endpoint.url} has, got {endpoint.model!r}")
    if answer.status in (429, 503):
        return TargetError(
            f"{endpoint.url} is still busy ({answer.status}) after all retries: lower per_minute, or run again later"
        )
    return TargetError(f"expected an answer from {endpoint.url}{path}, got status {answer.status}: {said}")


def no_such_model(answer: Answer) -> bool:
    """Whether a refusal says that there is no model of that name."""
    return answer.status in (400, 404, 422) and bool(NO_MODEL.search(str(answer.content["error"])))


def unreachable(err: Exception, endpoint: Endpoint) -> TargetError:
    """A server that does not answer."""
    reason = " ".join(str(err).split()) or type(err).__name__
    return TargetError(f"cannot reach {endpoint.url} ({reason}): is the server running, and is the address right?")


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds to wait, as a header says by number or date; 0 where it says nothing (RFC 9110, section 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (then.replace(tzinfo=then.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def most(body: Mapping[str, Any], added: int) -> tuple[int, int]:
    """Tokens that a request can be charged for at most: a token has at least one byte."""
    return sum(len(text.encode()) for text in texts_of(body)) + added, max(int(body.get(name, 0)) for name in LIMITS)


def texts_of(body: Mapping[str, Any]) -> list[str]:
    """The texts that a request sends."""
    return [body["prompt"]] if "prompt" in body else [str(each["content"]) for each in body.get("messages", ())]


def _said(response: Any, secret: str) -> str:
    """The server's own words, on one short line."""
    said: Any = response.text
    try:
        content = response.json()
        error = content.get("error", content.get("detail", content.get("message", said)))
        said = error.get("message", error) if isinstance(error, dict) else error
        if isinstance(said, list):  # what FastAPI says repeats the request beside its messages
            said = "; ".join(str(each.get("msg", "")) for each in said)
    except (ValueError, AttributeError):
        pass
    line = " ".join(_without(said if isinstance(said, str) else json.dumps(said), secret).split())
    return line or "nothing"


def _without(text: str, secret: str) -> str:
    return text.replace(secret, HIDDEN) if len(secret) >= 8 else text
