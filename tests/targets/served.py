"""A small OpenAI-compatible server on this machine, over a model with known answers; it can be told to misbehave."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from keepmum.targets.text import Sampling
from text_zoo import Ngrams

MODEL = "tiny"


@dataclass
class Server:
    """What it is asked, and how it answers.

    ``width`` characters are a token. ``shift`` pairs each token with what the model says of it one place later, as it
    happens when a list of scores is taken that begins one too late.
    """

    model: Ngrams
    completions: bool = True
    chat: bool = True
    echo: bool = True
    prompt_logprobs: bool = False
    logprobs: bool = True
    usage: bool = True
    shift: bool = False
    tops: bool = True
    noise: float = 0.0
    width: int = 1
    mark: str = ""
    moved: int = 0
    ignores_echo: bool = False
    key: str = ""
    delay: float = 0.0
    context: int = 10_000
    renamed: bool = False
    busy: list[dict[str, str]] = field(default_factory=list)
    raw: bytes | None = None
    asked: list[tuple[str, dict]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    url: str = ""
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def bodies(self) -> list[str]:
        return [json.dumps(body, sort_keys=True) for _, body in self.asked]

    def answer(self, path: str, body: dict) -> tuple[int, dict]:
        if body.get("model") != MODEL:
            return 404, {"error": {"message": f"The model `{body.get('model')}` does not exist."}}
        if path == "/v1/completions" and self.completions:
            return self.complete(body)
        if path == "/v1/chat/completions" and self.chat:
            return self.converse(body)
        return 404, {"detail": "Not Found"}

    def complete(self, body: dict) -> tuple[int, dict]:
        prompt = body["prompt"]
        if len(prompt) > self.context:
            return 400, {"error": {"message": f"maximum context length is {self.context} tokens: {prompt}"}}
        if body.get("logprobs") is not None and not self.logprobs:
            return 400, {"error": {"message": "logprobs are not offered"}}
        if body.get("echo") and not self.echo:
            return 400, {"error": {"message": "echo is not offered"}}
        written = self.write(prompt, body)
        echo = body.get("echo") and not self.ignores_echo
        chosen: dict = {"index": 0, "text": (prompt if echo else "") + written, "finish_reason": "length"}
        if body.get("logprobs") is not None:
            chosen["logprobs"] = self.scores(prompt, written, body["logprobs"], bool(echo))
        if body.get("prompt_logprobs") is not None and self.prompt_logprobs:
            chosen["prompt_logprobs"] = self.prompt_scores(prompt)
        return 200, {"choices": [chosen], **self.used(prompt, written)}

    def converse(self, body: dict) -> tuple[int, dict]:
        prompt = body["messages"][-1]["content"]
        if self.renamed and "max_tokens" in body:
            return 400, {"error": {"message": "'max_tokens' is not supported, use 'max_completion_tokens' instead."}}
        written = self.write(prompt, body)
        chosen: dict = {"index": 0, "message": {"role": "assistant", "content": written}, "finish_reason": "length"}
        if body.get("logprobs"):
            if not self.logprobs:
                return 400, {"error": {"message": "logprobs are not offered"}}
            chosen["logprobs"] = {
                "content": [
                    {
                        "token": c,
                        "logprob": 0.0,
                        "top_logprobs": [
                            {"token": t, "logprob": v}
                            for t, v in self.top(prompt + written[:i], body["top_logprobs"]).items()
                        ],
                    }
                    for i, c in enumerate(written)
                ]
            }
        return 200, {"choices": [chosen], **self.used(prompt, written)}

    def used(self, prompt: str, written: str) -> dict:
        return {"usage": {"prompt_tokens": len(prompt), "completion_tokens": len(written)}} if self.usage else {}

    def write(self, prompt: str, body: dict) -> str:
        sampling = Sampling(body.get("temperature", 1.0), body.get("top_k"), body.get("top_p", 1.0))
        return self.model._generate(
            [prompt], body.get("max_completion_tokens", body.get("max_tokens")), 1, sampling, body.get("seed", 0)
        )[0][0]

    def top(self, context: str, k: int) -> dict[str, float]:
        logs = self.model.following(context)
        return {self.model.decode([int(t)]): float(logs[t]) for t in np.argsort(-logs, kind="stable")[:k]}

    def scores(self, prompt: str, written: str, k: int, echo: bool) -> dict:
        whole, first = prompt + written, 0 if echo else len(prompt)
        starts = list(range(first, len(whole), self.width))
        tokens = [whole[s : s + self.width] if s + self.width <= len(whole) or not echo else whole[s:] for s in starts]
        if echo and self.width > 1:  # the prompt's last token ends with it
            starts = [*range(0, len(prompt), self.width), len(prompt)]
            ends = [*starts[1:], len(whole)]
            tokens = [whole[a:b] for a, b in zip(starts, ends, strict=True)]
        contexts = [whole[: s + len(t)] if self.shift else whole[:s] for s, t in zip(starts, tokens, strict=True)]
        values: list = []
        for context, token in zip(contexts, tokens, strict=True):
            places = self.model.encode(token)
            values.append(sum(float(self.model.following(context + token[:i])[p]) for i, p in enumerate(places)))
        tops: list = [{**self.top(c, k), t: v} for c, t, v in zip(contexts, tokens, values, strict=True)]
        if self.noise:
            with self.lock:
                values = [min(0.0, value + self.rng.normal(0, self.noise)) for value in values]
        if self.width > 1 or not self.tops:
            tops = [None] * len(tops)
        if echo and not self.mark:
            values[0], tops[0] = None, None
        if echo and self.mark:
            tokens, values, tops = [self.mark, *tokens], [None, *values], [None, *tops]
            starts = [0, *(s + len(self.mark) for s in starts)]
        offsets = [s + self.moved * (i > 2) for i, s in enumerate(starts)]
        return {"tokens": tokens, "token_logprobs": values, "top_logprobs": tops, "text_offset": offsets}

    def prompt_scores(self, prompt: str) -> list:
        places: list = [None]
        for i in range(1, len(prompt)):
            logs = self.model.following(prompt[:i])
            token = self.model.encode(prompt[i])[0]
            rank = int((logs > logs[token]).sum()) + 1
            places.append({str(token): {"logprob": float(logs[token]), "rank": rank, "decoded_token": prompt[i]}})
        return places


@contextmanager
def serving(model: Ngrams, **how: object) -> Iterator[Server]:
    """A server that runs until the block ends."""
    server = Server(model, **how)  # type: ignore[arg-type]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def reply(self, status: int, content: dict, headers: dict[str, str] | None = None) -> None:
            data = json.dumps(content).encode() if server.raw is None else server.raw
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if server.raw is None else "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(data)))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            self.reply(200, {"data": [{"id": MODEL}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.times.append(time.monotonic())
                server.keys.append(self.headers.get("Authorization", ""))
                busy = server.busy.pop(0) if server.busy else None
                if busy is None:
                    server.asked.append((self.path, body))
            if busy is not None:
                self.reply(int(busy.get("status", 429)), {"error": {"message": "slow down"}}, busy)
                return
            if server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
                said = f"wrong key {self.headers.get('Authorization')}"
                self.reply(401, {"error": {"message": said}})
                return
            time.sleep(server.delay)
            self.reply(*server.answer(self.path, body))

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass  # a client that was killed

    http = Quiet(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
