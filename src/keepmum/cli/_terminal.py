"""Where words go: results to stdout, prose and progress to stderr, and JSON as the last line of stdout."""

from __future__ import annotations

import re
import sys
import threading
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, TextIO

from cyclopts import Group, Parameter

from keepmum._values import Switch

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

PLAIN_SECONDS = 30.0
"""Without a terminal, progress is one line in this many seconds."""


@dataclass(frozen=True)
class Common:
    """Options that every verb has."""

    json: Annotated[Switch, Parameter(help="Write the result as one line of JSON, last on stdout.")] = False
    config: Annotated[
        Path | None, Parameter(help="Project file to read instead of searching for keepmum.toml upwards.")
    ] = None
    quiet: Annotated[Switch, Parameter(name=["--quiet", "-q"], help="Say nothing but the result.")] = False
    verbose: Annotated[
        int,
        Parameter(
            show_default=False, name=["--verbose", "-v"], count=True, help="Say more; -vv shows tracebacks of errors."
        ),
    ] = 0
    no_color: Annotated[Switch, Parameter(help="No colors; so does the variable NO_COLOR.")] = False
    no_progress: Annotated[Switch, Parameter(help="No progress bar.")] = False

    @property
    def terminal(self) -> Terminal:
        """Where this command writes."""
        return Terminal(self)


Options = Annotated[Common, Parameter(name="*", group=Group("Everywhere", sort_key=9))]
DEFAULTS = Common()


class Terminal:
    """The two streams of one command."""

    def __init__(self, options: Common) -> None:
        self.options = options

    @cached_property
    def prose(self) -> Console:
        """The stream for people: stderr."""
        return _console(sys.stderr, self.options.no_color)

    @cached_property
    def result(self) -> Console:
        """What a person came for: stdout, or stderr where stdout is JSON."""
        stream = sys.stderr if self.options.json else sys.stdout
        console = _console(stream, self.options.no_color)
        console.quiet = self.options.json and self.options.quiet
        return console

    def say(self, text: str) -> None:
        """A remark, left out by ``--quiet``."""
        if not self.options.quiet:
            self.prose.print(text, markup=False, highlight=False, soft_wrap=True)

    def detail(self, text: str) -> None:
        """A remark for ``-v``."""
        if self.options.verbose:
            self.say(text)

    def show(self, text: str, *, whole: bool = False) -> None:
        """A line of the result; a terminal wraps it between words, or leaves it ``whole`` so that it can be copied."""
        self.result.print(text, markup=False, highlight=False, soft_wrap=whole or not self.result.is_terminal)

    def data(self, line: str) -> None:
        """One line of data on stdout."""
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            _forget_reader(sys.stdout)

    def progress(self) -> Ticker:
        """Progress on stderr, for a ``with`` block."""
        return Ticker(self)


def _console(stream: TextIO, no_color: bool) -> Console:
    from rich.console import Console

    class Patient(Console):
        """A console whose reader may leave: the command goes on, so that its exit code stays true."""

        def on_broken_pipe(self) -> None:
            _forget_reader(stream)

    plain = not stream.isatty()
    return Patient(file=stream, no_color=no_color or None, width=120 if plain else None, emoji=False)


def _forget_reader(stream: TextIO) -> None:
    """Send what is still to come nowhere, and keep Python from complaining at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Ticker:
    """Shows how far an audit is: a bar with the time left on a terminal, else a plain line now and then."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._over = threading.Event()
        self._state: tuple[int, int, str] = (0, 0, "starting")
        self._began = time.monotonic()
        self._pace = Pace()

    @property
    def _shown(self) -> bool:
        return not (self._terminal.options.quiet or self._terminal.options.no_progress)

    def __enter__(self) -> Ticker:
        if self._shown and self._terminal.prose.is_terminal:
            self._bar = _bar(self._terminal.prose)
            self._task = self._bar.add_task("starting", total=None, left="")
            self._bar.start()
        elif self._shown:
            threading.Thread(target=self._speak, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        self._over.set()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Take up what an audit reports: units done, units in all, what comes next."""
        self._state = (done, total, what)
        self._pace.note(done, total, what, time.monotonic())
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, description=what)
            self._bar.update(self._task, left=self._left())
        if self._bar is None and total:
            self._terminal.detail(self._line())

    def _line(self) -> str:
        done, total, what = self._state
        spent = time.monotonic() - self._began
        left = self._left()
        return f"{f'{done} of {total} · ' if total else ''}{what} · {spent:.0f} s{f', {left}' if left else ''}"

    def _left(self) -> str:
        left = self._pace.left(time.monotonic())
        return "" if left is None else f"about {_spoken(left)} left"

    def _speak(self) -> None:
        while not self._over.wait(PLAIN_SECONDS):
            self._terminal.say(self._line())


class Pace:
    """How fast things go, as far as that can be told: shadow models take longer than what comes before and after."""

    def __init__(self) -> None:
        self._kind = ""
        self._from: tuple[int, float] = (0, 0.0)
        self._last: tuple[int, int, float] = (0, 0, 0.0)

    def note(self, done: int, total: int, what: str, now: float) -> None:
        """Take up what is done; a series such as "shadow model 3 of 8" has a pace and an end of its own."""
        series = re.fullmatch(r"(.*) (\d+) of (\d+)", what)
        kind, done, end = (series[1], int(series[2]) - 1, int(series[3])) if series else ("", done, total)
        if kind != self._kind or not self._last[2]:
            self._kind, self._from = kind, (done, now)
        self._last = (done, end, now)

    def left(self, now: float) -> float | None:
        """Seconds until the end of the series, or of everything; None where nothing has been seen to finish."""
        done, end, at = self._last
        first, began = self._from
        if done <= first or done >= end:
            return None
        return max(0.0, (at - began) / (done - first) * (end - done) - (now - at))


def size(count: int) -> str:
    """Bytes as people say them."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return (
        f"{count / 1e6:.0f} MB"
        if count >= 1e7
        else f"{count / 1e6:.1f} MB"
        if count >= 1e6
        else f"{count / 1e3:.0f} kB"
    )


def _spoken(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _bar(console: Console) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    return Progress(*columns, console=console, transient=True, expand=True)
