"""The command tree, and what becomes of everything that a command raises."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextvars import ContextVar
from enum import IntEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError

VERBS: Mapping[str, str] = MappingProxyType(
    {
        "demo": "Audit models of bundled data: a leaky one and a tight one, side by side.",
        "audit": "Measure what a model gives away about its training data.",
        "plan": "Tell what an audit would ask and cost, and what it can show.",
        "gate": "Hold an audit against a policy: pass (0), fail (1), inconclusive (3).",
        "report": "Write a finished audit in other formats, or show it.",
        "compare": "Tell what changed between two audits.",
        "harden": "Hold defenses against each other: which one works for a recipe.",
        "audit-dp": "Audit a claim of differential privacy: is it refuted (1), or not (0)?",
        "canary": "Make canaries, mix them into training data, and audit a model for them.",
        "check": "Look at model files without loading them.",
        "cache": "List or take away what shadow models said.",
        "list": "List attacks, defenses, policies, runs or extras.",
        "explain": "Explain an attack, a defense, an outcome, a metric or a policy.",
        "doctor": "Test whether this installation can measure.",
    }
)


COMMAND: ContextVar[tuple[str, ...]] = ContextVar("COMMAND", default=())
"""The words of the command that is running, for the report and for the line that tells how to continue."""


class Exit(IntEnum):
    """Exit codes."""

    DONE = 0
    GATE_FAILED = 1
    USAGE = 2
    INCONCLUSIVE = 3
    INTERNAL = 4
    INTERRUPTED = 130


def command() -> str:
    """The command that is running, as a shell would take it."""
    import shlex

    return shlex.join(("keepmum", *COMMAND.get()))


def recorded() -> str:
    """The same as a report may tell it: secrets of defenses are left out."""
    import re
    import shlex

    return shlex.join(("keepmum", *(re.sub(r"(\bsecret\s*=)[^,+]*", r"\1…", word) for word in COMMAND.get())))


def build(used: str = "") -> App:
    """The command tree; the module of a verb is imported, and its docstring read, only when the verb is used."""
    from cyclopts import App, Parameter

    import keepmum

    plain = Parameter(negative=())  # no --no-… and --empty-… twins
    app = App(
        name="keepmum",
        help="Does your model keep mum? Measures what a trained model gives away about its training data.",
        help_epilogue="" if used else "'keepmum VERB --help' shows the options of a verb. Start with: keepmum demo",
        default_parameter=plain,
        version=keepmum.__version__,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
        help_format="markdown" if used else "plaintext",
        end_of_options_delimiter="",
    )
    for place, (verb, summary) in enumerate(VERBS.items()):
        module = verb.replace("-", "_")
        function = "list_" if verb == "list" else module
        shown = None if verb == used else summary
        app.command(f"keepmum.cli.{module}:{function}", name=verb, help=shown, sort_key=place, default_parameter=plain)
    return app


def run(argv: list[str]) -> int:
    """Run one command; every error that can be foreseen becomes one line on stderr and its exit code."""
    from cyclopts import CycloptsError

    from keepmum.errors import KeepmumError

    COMMAND.set(tuple(argv))
    argv = _verb_first(argv)
    try:
        code = build(argv[0] if argv and argv[0] in VERBS else "")(argv, exit_on_error=False, print_error=False)
    except CycloptsError as err:
        return _complain(_usage(err), Exit.USAGE, argv)
    except KeepmumError as err:
        return _complain(str(err), Exit.USAGE, argv)
    except KeyboardInterrupt:
        return _complain("interrupted", Exit.INTERRUPTED, argv)
    except OSError as err:
        name = f"{err.filename}: " if err.filename else ""
        return _complain(f"{name}{err.strerror or err}", Exit.USAGE, argv)
    except Exception as err:  # the outermost place: an internal error must not look like a finding
        hint = "" if _deep(argv) else " (run it again with -vv for the traceback, and please report it)"
        return _complain(f"internal error: {type(err).__name__}: {err}{hint}", Exit.INTERNAL, argv)
    return int(code or 0)


def _verb_first(argv: list[str]) -> list[str]:
    """Let options stand before the verb, as in ``keepmum --json audit …``; cyclopts wants them after it."""
    place = next((i for i, word in enumerate(argv) if word in VERBS), 0)
    if any(word in ("--help", "-h", "--version") for word in argv[:place]):
        return argv
    return [*argv[place : place + 1], *argv[:place], *argv[place + 1 :]]


def _complain(message: str, code: Exit, argv: list[str]) -> int:
    if _deep(argv) and code is not Exit.INTERRUPTED:
        import traceback

        traceback.print_exc()
    print("keepmum:", " ".join(message.split()), file=sys.stderr)  # noqa: T201
    return code


def _deep(argv: list[str]) -> bool:
    """Whether a traceback was asked for."""
    return "-vv" in argv or sum(word in ("-v", "--verbose") for word in argv) > 1


def _usage(err: CycloptsError) -> str:
    """One line about what is wrong with the command line."""
    from pydantic import ValidationError

    from keepmum.settings import one_line

    err.verbose = False
    if isinstance(err.__cause__, ValidationError):
        return one_line(err.__cause__)
    return str(err)
