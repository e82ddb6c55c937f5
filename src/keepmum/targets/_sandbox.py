"""A worker process for files that may crash, hang or misbehave; see `_worker` for its side.

The process is started anew (never forked, so it holds none of our data), with a clean environment and within limits;
messages are counted bytes in the format of `_wire`, and none of them is ever unpickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from typing import Any

from keepmum import errors
from keepmum.errors import KeepmumError, MissingExtraError, TargetError
from keepmum.targets._wire import Arrays, unpack

_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
_MAX_MESSAGE = 4 << 30


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Attributes:
      memory: Bytes of address space.
      cpu_seconds: CPU time of its whole life.
      load_seconds: Time to load a file, by the clock.
      answer_seconds: Time for one answer, by the clock.
      open_files: Files that it may hold open.
    """

    memory: int = 8 << 30
    cpu_seconds: int = 3600
    load_seconds: float = 120.0
    answer_seconds: float = 600.0
    open_files: int = 256


class WorkerDied(KeepmumError):
    """The worker ended without an answer; the message says how."""


class Worker:
    """A running worker.

    Args:
      order: What it is to do, as `_worker.main` reads it.
      limits: What it may use.
    """

    def __init__(self, order: dict[str, Any], limits: Limits) -> None:
        full = order | {"memory": limits.memory, "cpu_seconds": limits.cpu_seconds, "open_files": limits.open_files}
        self._process = subprocess.Popen(  # noqa: S603  our own module, our own interpreter
            [sys.executable, "-P", "-B", "-W", "ignore", "-m", "keepmum.targets._worker", json.dumps(full)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            cwd=tempfile.gettempdir(),
            close_fds=True,
        )
        self._words = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        """Keep the end of what the worker complains about; a full pipe would stop it."""
        assert self._process.stderr is not None
        while chunk := self._process.stderr.read1(1 << 16):  # type: ignore[attr-defined]  # it is a BufferedReader
            self._words = (self._words + chunk)[-2000:]

    def tell(self, payload: bytes, seconds: float) -> None:
        """Send one message."""
        assert self._process.stdin is not None
        place, out = self._process.stdin.fileno(), memoryview(len(payload).to_bytes(8, "big") + payload)
        os.set_blocking(place, False)
        deadline = time.monotonic() + seconds
        while out:
            if not select.select([], [place], [], max(0.0, deadline - time.monotonic()))[1]:
                raise self._gone(f"did not listen for {seconds:g} s")
            try:
                out = out[os.write(place, out) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as err:
                raise self._gone(None) from err

    def hear(self, seconds: float) -> tuple[dict[str, Any], Arrays]:
        """Wait for one message.

        Raises:
          WorkerDied: None came.
          KeepmumError: The error that the worker tells of, as the same class.
        """
        deadline = time.monotonic() + seconds
        size = int.from_bytes(self._read(8, deadline, seconds), "big")
        if size > _MAX_MESSAGE:
            raise self._gone("sent what is no answer")
        try:
            header, arrays = unpack(self._read(size, deadline, seconds))
        except ValueError as err:
            raise self._gone("sent what is no answer") from err
        if "error" in header:
            raise _error(header)
        return header, arrays

    def close(self) -> None:
        """End the worker."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._listener.join(timeout=5)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _read(self, size: int, deadline: float, seconds: float) -> bytes:
        assert self._process.stdout is not None
        place, chunks, missing = self._process.stdout.fileno(), [], size
        while missing:
            if not select.select([place], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise self._gone(f"did not answer within {seconds:g} s")
            chunk = os.read(place, min(missing, 1 << 20))
            if not chunk:
                raise self._gone(None)
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)

    def _gone(self, what: str | None) -> WorkerDied:
        if what is None:
            try:
                code = self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                code = 0
            self._listener.join(timeout=5)
            lines = self._words.decode("utf-8", "replace").strip().splitlines()
            what = _how(code, lines[-1][:200] if lines else "")
        self.close()
        return WorkerDied(what)


def _how(code: int, words: str) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"failed ({words})" if words else f"ended with code {code}"


def _environment() -> dict[str, str]:
    """No secrets, no proxies, no home; one thread a library, because each takes address space."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return kept | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": "1", "JOBLIB_MULTIPROCESSING": "0"}


def _error(header: dict[str, Any]) -> KeepmumError:
    message = str(header.get("message", ""))[:1000]
    if header["error"] == MissingExtraError.__name__:
        missing = MissingExtraError("", str(header.get("extra", "")))
        missing.args = (message,)
        return missing
    kind = getattr(errors, str(header["error"]), TargetError)
    return kind(message) if isinstance(kind, type) and issubclass(kind, KeepmumError) else TargetError(message)
