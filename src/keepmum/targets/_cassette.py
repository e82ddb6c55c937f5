"""Answers of a served model, written down as they come: a killed run goes on, and tests need no server."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keepmum.errors import ConfigError


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Attributes:
      status: HTTP status.
      content: The JSON object; of a refusal, only its ``error``, a sentence.
      read: Tokens that it read, as it says.
      written: Tokens that it wrote, as it says.
    """

    status: int
    content: Mapping[str, Any]
    read: int = 0
    written: int = 0


def key_of(path: str, body: Mapping[str, Any], draw: int, turn: int) -> str:
    """Fingerprint of a request: what is asked and where, which draw of several, and for the how-manieth time.

    The host and the key are no part of it.
    """
    asked = json.dumps([path, body, draw, turn], sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(asked.encode()).hexdigest()


START = '{"key": "'
"""How every line begins, a line that was cut off too."""


class Cassette:
    """A file of answers, one line each: ``{"key", "status", "tokens", "answer"}``.

    A line is written at once and down to the disk when its answer has come. A line that was cut off is not counted. The
    answers repeat what was asked about, and so the file is readable by its owner alone: keep it with the data.

    Args:
      path: The file; made where there is none.
      replay: Only play back: what is not recorded is not asked, and no server is needed.
      once: Answer a request that was made before from the file. Otherwise the second time is recorded beside the first,
        so that noise in the answers is seen. The draws of one prompt are told apart either way.

    Raises:
      ConfigError: The file is something else, cannot be read, or is missing where it is to be played back.
    """

    def __init__(self, path: str | Path, *, replay: bool = False, once: bool = False) -> None:
        self.path, self.replay, self.once = Path(path), replay, once
        self._lock = threading.Lock()
        self._answers: dict[str, str] = {}
        self._whole = True  # whether the last line ends
        if replay and not self.path.exists():
            raise ConfigError(f"expected a cassette to play back, got no file {self.path}: record it first")
        if self.path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self._answers)

    def answers(self) -> Iterator[Answer]:
        """All that was recorded."""
        return (_answer(line) for line in list(self._answers.values()))

    def get(self, key: str) -> Answer | None:
        """What was answered; a refusal is only played back, since a server may do tomorrow what it refuses today."""
        line = self._answers.get(key)
        answer = None if line is None else _answer(line)
        return answer if answer is None or answer.status == 200 or self.replay else None

    def add(self, key: str, answer: Answer) -> None:
        """Write an answer down.

        Raises:
          ConfigError: The file cannot be written.
        """
        line = json.dumps(
            {"key": key, "status": answer.status, "tokens": [answer.read, answer.written], "answer": answer.content}
        )
        with self._lock:
            if self._answers.get(key) == line:
                return
            try:
                file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    _write(file, ("" if self._whole else "\n") + line + "\n")
                finally:
                    os.close(file)
            except OSError as err:
                raise ConfigError(
                    f"cannot write the cassette {self.path} ({err.strerror}): choose another file"
                ) from err
            self._whole = True
            self._answers[key] = line

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            raise ConfigError(f"cannot read {self.path} as a cassette ({err}): choose another file") from err
        self._whole = not text or text.endswith("\n")
        lines = text.split("\n")
        for line in lines:
            try:
                key = json.loads(line)["key"]
                _answer(line)
                self._answers[key] = line
            except (ValueError, KeyError, TypeError):
                continue
        if not self._answers and text and not any(START.startswith(line[: len(START)]) for line in lines if line):
            raise ConfigError(f"expected a cassette, got another kind of file: {self.path}; choose another file")


def _answer(line: str) -> Answer:
    entry = json.loads(line)
    return Answer(int(entry["status"]), dict(entry["answer"]), *map(int, entry["tokens"]))


def _write(file: int, text: str) -> None:
    data = text.encode()
    while data:  # one write, unless the disk is full or the line enormous
        data = data[os.write(file, data) :]
    os.fsync(file)
