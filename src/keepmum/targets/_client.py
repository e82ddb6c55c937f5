"""Asks an OpenAI-compatible server: paced, retried, counted, recorded, in order."""

from __future__ import annotations

import ipaddress
import os
import re
import threading
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from keepmum.errors import ConfigError, MissingExtraError, TargetError
from keepmum.targets import _replies
from keepmum.targets._cassette import Answer, Cassette, key_of
from keepmum.targets._limits import Clock, Meter, Quota, WallClock

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
AGAIN = (429, 502, 503, 504)
"""Statuses after which the same request is sent again."""
FAILED, TRIES = 500, 2
"""The status of a server that failed, and how often the request is sent again then: it may fail on it every time."""
ADDED = 64
"""Tokens that a server may put around a prompt (marks, a chat's frame), beyond one token a byte."""


@dataclass(frozen=True)
class Endpoint:
    """Where a model is served.

    Attributes:
      url: ``https://host/v1``; with ``/completions`` or ``/chat/completions`` behind it, only that is asked. Plain http
        is taken to this machine alone, unless `allow_http`.
      model: Its name there.
      key_env: The environment variable that holds the key. The key itself is never written anywhere.
      allow_http: Send texts and key over the network in clear.

    Raises:
      ConfigError: No address of a server, or one that is not spoken to.
    """

    url: str
    model: str
    key_env: str = "OPENAI_API_KEY"
    allow_http: bool = False
    path: str = field(init=False, default="")

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            host, _ = parts.hostname, parts.port
        except ValueError as err:
            raise ConfigError("expected the address of a server, https://host/v1, got none") from err
        if parts.scheme not in ("http", "https") or not host:
            raise ConfigError(f"expected the address of a server, https://host/v1, got {self.url.split('@')[-1]!r}")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ConfigError(
                f"expected https://{host}/v1 with no user, password or query in the address: put the key into the "
                f"environment variable {self.key_env or 'OPENAI_API_KEY'}"
            )
        if parts.scheme == "http" and not self.local and not self.allow_http:
            raise ConfigError(
                f"expected https, since http would send texts and key to {host} in clear: use https, or allow_http in "
                "Python"
            )
        if self.key_env and not VARIABLE.fullmatch(self.key_env):
            raise ConfigError(
                "expected the name of an environment variable that holds the key, as in OPENAI_API_KEY, got something "
                "else (not repeated here, since it could be the key)"
            )
        if not self.model:
            raise ConfigError(f"expected the name of a model at {self.url}, got none: give model")
        base = self.url.rstrip("/")
        for tail in ("/chat/completions", "/completions"):
            if base.endswith(tail):
                base = base.removesuffix(tail)
                object.__setattr__(self, "path", tail)
        object.__setattr__(self, "url", base)

    @property
    def local(self) -> bool:
        """Whether the server is this machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class Client:
    """Asks one model at one server.

    Args:
      endpoint: Where.
      quota: How fast and for how much.
      cassette: Where answers are written down and read from, or None.
      rng: Jitter of the waits after failures; no answer depends on it.
      clock: Tells the time and waits.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        quota: Quota | None = None,
        cassette: Cassette | None = None,
        *,
        rng: np.random.Generator | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.endpoint, self.cassette = endpoint, cassette
        self.quota = quota or Quota()
        self.meter = Meter(self.quota, clock or WallClock(), rng or np.random.default_rng())
        for answer in cassette.answers() if cassette is not None else ():
            if answer.status == 200:
                self.meter.count(answer.read, answer.written)
        self._lock = threading.Lock()
        self._turns: Counter[str] = Counter()
        self._session: Any = None
        self._reached = False

    def ask(self, path: str, body: Mapping[str, Any], *, refusable: bool = False) -> Answer:
        """One answer.

        Args:
          path: Below the address, such as ``/completions``.
          body: What is asked; the model's name is put in.
          refusable: Return what the server says when it does not take the request, instead of raising.

        Raises:
          TargetError: No answer, or none that can be read.
          DataError: A text longer than the model can read.
          BudgetError: The requests or the money are spent.
        """
        asked = {"model": self.endpoint.model, **body}
        return self._answer(self._key(path, asked, 0), path, asked, refusable)

    def ask_all(self, path: str, bodies: Sequence[Mapping[str, Any]], draws: Sequence[int]) -> list[Mapping[str, Any]]:
        """The answers to many requests, in their order; ``draws`` tells those apart that ask for the same.

        Raises:
          TargetError: As `ask`; answers that came before are kept in the cassette.
        """
        asked = [{"model": self.endpoint.model, **body} for body in bodies]
        keys = [self._key(path, body, draw) for body, draw in zip(asked, draws, strict=True)]
        pool = ThreadPoolExecutor(self.quota.concurrency)
        try:
            waiting = [pool.submit(self._answer, key, path, body, False) for key, body in zip(keys, asked, strict=True)]
            return [each.result().content for each in waiting]
        finally:
            pool.shutdown(cancel_futures=True)

    def models(self) -> list[str]:
        """Names of the models that the server has, as far as it tells."""
        try:
            response = self._http().get(f"{self.endpoint.url}/models", headers=self._headers())
            return [str(each["id"]) for each in response.json()["data"]]
        except Exception:  # an answer to a question that only makes an error message better
            return []

    def _key(self, path: str, body: Mapping[str, Any], draw: int) -> str:
        first = key_of(path, body, draw, 0)
        if self.cassette is not None and self.cassette.once:
            return first
        with self._lock:
            turn = self._turns[first]
            self._turns[first] += 1
        return key_of(path, body, draw, turn)

    def _answer(self, key: str, path: str, body: Mapping[str, Any], refusable: bool) -> Answer:
        known = self.cassette.get(key) if self.cassette is not None else None
        if known is not None:
            return known
        if self.cassette is not None and self.cassette.replay:
            raise TargetError(
                f"expected every answer in {self.cassette.path}, got a request to {path} that is not in it: record it "
                "anew, with the same settings"
            )
        most = _replies.most(body, ADDED)
        bound, used = self.meter.reserve(most), None
        try:
            answer = _replies.read(self._send(path, body, refusable), path, self.endpoint, self._secret())
            if answer.status == 200:
                # what a server does not tell is taken to be as much as it can be
                answer = answer if answer.read else replace(answer, read=most[0], written=most[1])
                used = (answer.read, answer.written)
            elif not refusable or not _replies.final(answer):
                raise _replies.refusal(answer, path, body, self.endpoint)
            if self.cassette is not None:
                self.cassette.add(key, answer)
            return answer
        finally:
            self.meter.settle(bound, used)

    def _send(self, path: str, body: Mapping[str, Any], refusable: bool) -> Any:
        import httpx

        failures = 0
        while True:
            self.meter.pace()
            try:
                response = self._http().post(self.endpoint.url + path, json=body, headers=self._headers())
            except httpx.HTTPError as err:
                # a server that never answered is not there; one that did comes back
                if not self._reached or failures >= self.quota.retries:
                    raise _replies.unreachable(err, self.endpoint) from err
                wait = self.meter.backoff(failures)
            else:
                self._reached = True
                if failures >= self._tries(response.status_code, refusable):
                    return response
                wait = max(_replies.retry_after(response.headers), self.meter.backoff(failures))
                if wait > self.quota.patience:
                    raise TargetError(
                        f"{self.endpoint.url} asks to wait {wait:.0f} s, longer than the patience of "
                        f"{self.quota.patience:g} s: run again later; answers in a cassette are kept"
                    )
            failures += 1
            self.meter.hold(wait)

    def _tries(self, status: int, refusable: bool) -> int:
        """How often a request is sent again at most; to one that may be refused a failure is an answer."""
        if status == FAILED and not refusable:
            return min(TRIES, self.quota.retries)
        return self.quota.retries if status in AGAIN else 0

    def _http(self) -> Any:
        with self._lock:
            if self._session is None:
                try:
                    import httpx
                except ImportError as err:
                    raise MissingExtraError("httpx", "remote") from err
                # certificates are verified; redirects are not followed, so that the key stays with its host
                self._session = httpx.Client(timeout=self.quota.timeout, trust_env=not self.endpoint.local)
                weakref.finalize(self, self._session.close)
            return self._session

    def _secret(self) -> str:
        return os.environ.get(self.endpoint.key_env, "").strip() if self.endpoint.key_env else ""

    def _headers(self) -> dict[str, str]:
        secret = self._secret()
        if not (secret.isascii() and secret.isprintable()):
            raise TargetError(f"expected a key of ASCII characters in the environment variable {self.endpoint.key_env}")
        return {"Authorization": f"Bearer {secret}"} if secret else {}
