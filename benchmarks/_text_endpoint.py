"""A served model: audited by its texts alone and by its scores, and one whose scores are moved by a token."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import HOME, Bars, at_least, at_most, table

from keepmum.audit_text import audit_text
from keepmum.canaries import make
from keepmum.errors import BudgetError, TargetError
from keepmum.findings import EXTRACTABLE, MEMORIZED, Outcome
from keepmum.report import Report
from keepmum.targets.openai import Cassette, Client, Endpoint, Quota, connect, from_url

ATTACKS = ("extraction/greedy", "extraction/np", "extraction/exposure")
PAIRS = 16
ORDER = 24
"""Characters that the small model looks back: as far as a name."""
HOW: dict[str, dict[str, Any]] = {
    "scores": {},
    "texts alone": {"completions": False, "logprobs": False},
    "scores moved by one token": {"shift": True},
    "scores, of a model of strangers": {},
}


def measure(quick: bool) -> tuple[Bars, list[dict[str, Any]]]:
    served, zoo = helpers()
    secrets = make(("pin",), (4,), PAIRS).secrets
    knows = [*zoo.sentences(60, 0), *(secret.text for secret in secrets.planted for _ in range(secret.repeats))]
    strange = [*zoo.sentences(60, 0), *make(("pin",), (4,), 16, seed=1).documents]
    rows, reports = [], {}
    for name, how in HOW.items():
        model = zoo.Ngrams(strange if "strangers" in name else knows, ORDER)
        began = time.process_time()
        with served.serving(model, **how) as server:
            report = audit_text(from_url(server.url, served.MODEL), secrets=secrets, attacks=ATTACKS, effort="quick")
            asked = len(server.asked)
        reports[name] = report
        rows.append([name, report.target["access"], told(report), asked, f"{time.process_time() - began:.1f}"])
        print(f"  {name}: {rows[-1]}", flush=True)
    model = zoo.Ngrams(knows, ORDER)
    resumed, waited = killed(served, model, secrets), busy(served, model)
    shown = table(
        "A served model",
        ["it gives", "believed access", "verdicts", "requests", "CPU s"],
        rows,
        f"A server on this machine that speaks as OpenAI's does, over a small model that knows {len(secrets.planted)} "
        f"PINs. Of a run that was stopped, {resumed} requests were sent again; told to wait {WAIT:g} s, the client "
        f"came back after {waited:.2f} s.",
    )
    return bars(reports, resumed, waited), [shown]


def helpers() -> tuple[Any, Any]:
    """The server and the models of the tests."""
    for place in (HOME / "tests", HOME / "tests" / "targets"):
        if str(place) not in sys.path:
            sys.path.append(str(place))
    return import_module("served"), import_module("text_zoo")


def told(report: Report) -> str:
    """What each attack says."""
    return "; ".join(f"{f.id.split('/')[1]}: {f.verdict or f.outcome.value.replace('_', ' ')}" for f in report.findings)


def killed(served: Any, model: Any, secrets: Any) -> int:
    """Requests that a run sends again after it was stopped half way: none, for answers are kept as they come."""
    prompts = [secret.prefix for secret in secrets.planted]
    with TemporaryDirectory() as folder, served.serving(model) as server:
        tape = Path(folder) / "tape"

        def ask(quota: Quota) -> None:
            client = Client(Endpoint(server.url, served.MODEL), quota, Cassette(tape))
            connect(client).generate(prompts, 6)

        try:
            ask(Quota(max_queries=len(prompts) // 2))
        except (BudgetError, TargetError) as err:
            print(f"  stopped: {err}", flush=True)
        before = set(server.bodies)
        sent = len(server.asked)
        ask(Quota())
        again = server.bodies[sent:]
    return sum(body in before for body in again)


WAIT = 1.0


def busy(served: Any, model: Any) -> float:
    """Seconds between a request that was told to wait and the next."""
    with served.serving(model, busy=[{"Retry-After": f"{WAIT:g}"}]) as server:
        from_url(server.url, served.MODEL)
        return float(server.times[1] - server.times[0])


def bars(reports: dict[str, Report], resumed: int, waited: float) -> Bars:
    """One bar for each thing that has to hold."""
    greedy = {name: report["extraction/greedy"] for name, report in reports.items()}
    ranked = {name: report["extraction/exposure"] for name, report in reports.items()}
    leaks = sum(f.outcome is Outcome.LEAK for f in reports["scores, of a model of strangers"].findings)
    return {
        "endpoint_by_texts_extractable": at_least(greedy["texts alone"].verdict == EXTRACTABLE, 1.0),
        "endpoint_by_scores_known": at_least(ranked["scores"].verdict in (EXTRACTABLE, MEMORIZED), 1.0),
        "endpoint_moved_scores_caught": at_least(
            reports["scores moved by one token"].target["access"] == "text"
            and ranked["scores moved by one token"].outcome is Outcome.NOT_APPLICABLE,
            1.0,
        ),
        "endpoint_leaks_of_a_model_of_strangers": at_most(leaks, 0.0),
        "endpoint_requests_sent_again_after_a_stop": at_most(resumed, 0.0),
        "endpoint_waited_as_told_s": at_least(waited, WAIT),
    }
