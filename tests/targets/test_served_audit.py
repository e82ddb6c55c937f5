"""A served model is audited as one that is at hand: by its texts alone, and by its scores."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from served import MODEL, serving

import text_zoo
from keepmum.attacks import Context
from keepmum.attacks.extraction import ExtractionAttack
from keepmum.attacks.extraction._base import Seen
from keepmum.errors import TargetError
from keepmum.findings import EXTRACTABLE, MEMORIZED, NO_EVIDENCE, Outcome
from keepmum.targets.openai import Cassette, from_url
from keepmum.targets.text import GREEDY, TextTarget, TokenScoreTarget

SECRETS = text_zoo.pin_secrets(12)


@dataclass(frozen=True)
class Recites(ExtractionAttack):
    id: ClassVar[str] = "extraction/recites"
    needs: ClassVar[type] = TextTarget
    references: ClassVar[tuple[str, ...]] = ("none",)

    def extract(self, target, secrets, ctx):
        made = target.generate([s.prefix for s in secrets], 8, sampling=GREEDY)
        out = np.array([texts[0].startswith(s.secret) for texts, s in zip(made, secrets, strict=True)])
        return Seen(out.astype(float), out)


@dataclass(frozen=True)
class Favors(ExtractionAttack):
    id: ClassVar[str] = "extraction/favors"
    needs: ClassVar[type] = TokenScoreTarget
    references: ClassVar[tuple[str, ...]] = ("none",)

    def extract(self, target, secrets, ctx):
        scored = target.score([s.secret for s in secrets], [s.prefix for s in secrets])
        return Seen(np.array([each.total for each in scored]), np.zeros(len(secrets), dtype=bool))


def audited(attack, model, **how):
    with serving(model, **how) as server:
        target = from_url(server.url, MODEL)
        assert isinstance(target, attack.needs)
        return attack.run(target, SECRETS.split, Context(secrets=SECRETS))


@pytest.mark.parametrize("how", [{"echo": False}, {"completions": False}, {"logprobs": False}], ids=str)
def test_by_texts_alone(how) -> None:
    found = audited(Recites(), text_zoo.memorizer(SECRETS), **how)
    assert (found.outcome, found.verdict) == (Outcome.LEAK, EXTRACTABLE)
    assert found.queries == 24
    silent = audited(Recites(), text_zoo.ignorant(), **how)
    assert (silent.outcome, silent.verdict) == (Outcome.NO_LEAK_FOUND, NO_EVIDENCE)


@pytest.mark.parametrize("how", [{}, {"echo": False, "prompt_logprobs": True}, {"width": 3}, {"mark": "<s>"}], ids=str)
def test_by_scores(how) -> None:
    found = audited(Favors(), text_zoo.memorizer(SECRETS), **how)
    assert (found.outcome, found.verdict) == (Outcome.LEAK, MEMORIZED)
    silent = audited(Favors(), text_zoo.ignorant(), **how)
    assert (silent.outcome, silent.verdict) == (Outcome.NO_LEAK_FOUND, NO_EVIDENCE)


def test_findings_are_the_same_played_back(tmp_path: Path) -> None:
    with serving(text_zoo.memorizer(SECRETS)) as server:
        live = Favors().run(from_url(server.url, MODEL, cassette=tmp_path / "t"), SECRETS.split, Context())
        url = server.url
    played = Favors().run(
        from_url(url, MODEL, cassette=Cassette(tmp_path / "t", replay=True)), SECRETS.split, Context()
    )
    assert played == live


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    made = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(made.split(), cwd=tmp_path, check=True, capture_output=True)
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)

    class Quiet(HTTPServer):
        def handle_error(self, request, client_address) -> None:
            pass

    http = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    http.socket = context.wrap_socket(http.socket, server_side=True)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with pytest.raises(TargetError, match=r"cannot reach .*certificate verify failed"):
            from_url(f"https://localhost:{http.server_address[1]}/v1", MODEL)
        assert seen == []
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
