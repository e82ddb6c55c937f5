"""The report as one page that needs nothing else: no network, no fonts, no libraries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from keepmum.report import _gallery, _hidden, _looks, _recited, _recited_plots, _success, _svg, _view, plots
from keepmum.report import _words as words
from keepmum.report._gallery import Wall
from keepmum.report._report import Report
from keepmum.report._sections import sections
from keepmum.report.compare import compare

if TYPE_CHECKING:
    from jinja2 import Environment


def render(report: Report, walls: Sequence[Wall] = ()) -> str:
    """The whole report as a page, with reconstructed pictures if any are given."""
    notes, axis = _view.Footnotes(), _view.axis(report)
    sentence, meaning = words.consequence(report)
    drawn = plots.alike([f for f in words.by_strength(report.findings) if f.curve], lambda f: f.curve)
    histograms = [(group, _svg.histogram_svg(group[0], f"h{i}")) for i, group in enumerate(drawn)]
    rows, checks = _view.rows(report, notes, axis), _view.checks(report, notes, axis)
    roc, rates, hidden = _svg.roc_svg(report), _svg.rates_svg(report), _hidden.parts(report)
    looks, recited, exposure = _looks.part(report), _recited.part(report), report.exposure
    shown = {
        "measured": rows or checks or _view.unmeasured(report),
        "curves": roc or rates or histograms,
        "groups": _view.groupings(report),
        "exposed": exposure is not None and not exposure.reason,
        "hidden": hidden,
        "looks": looks.tables or looks.missing or walls,
        "recited": recited.rows or recited.missing,
    }
    reasons = {"exposed": f"Not told: {exposure.reason}"} if exposure is not None and exposure.reason else {}
    attribute = report.coverage.get("attribute")
    if report.target.get("classes") == 0 and attribute is not None and "--hidden" not in attribute.reason:
        reasons["hidden"] = f"Not asked: {attribute.reason}."
    return _page(
        "report.html",
        sections=sections(shown, reasons),
        report=report,
        sentence=sentence,
        meaning=meaning,
        rows=rows,
        checks=checks,
        notes=notes,
        axis=axis,
        roc=roc,
        rates=rates,
        histograms=histograms,
        hidden=hidden,
        looks=looks,
        searched=_success.table(_success.searches(report.findings)),
        progress=_svg.progress_svg(report),
        recited=recited,
        exposure_steps=_recited_plots.exposure_svg(report),
        trends=_recited_plots.trend_svgs(report),
        walls=walls,
        exposed=_svg.exposure_svg(report.exposure),
    )


def render_gallery(walls: Sequence[Wall]) -> str:
    """Reconstructed pictures as a page, for the closed folder."""
    return _page("gallery.html", walls=walls)


def render_comparison(named: Sequence[tuple[str, Report]]) -> str:
    """Several reports side by side; of exactly two, the differences too."""
    notes, axis = _view.Footnotes(), _view.axis(*(report for _, report in named))
    ids = list(
        dict.fromkeys(
            f.id for _, r in named for f in words.by_strength(words.general(r.findings)) if f.outcome in words.MEASURED
        )
    )
    found = [{f.id: f for f in r.findings if f.outcome in words.MEASURED} for _, r in named]
    table = [(name, [_view.row(f[name], notes, axis) if name in f else None for f in found]) for name in ids]
    return _page(
        "compare.html",
        hidden=_hidden.by_subject(named),
        looks=_looks.by_attack(named),
        recited=_recited.by_attack(named),
        named=named,
        table=[(name, cells) for name, cells in table if any(c and "auc" in c.finding.metrics for c in cells)],
        other=[(name, cells) for name, cells in table if not any(c and "auc" in c.finding.metrics for c in cells)],
        notes=notes,
        axis=axis,
        changed=compare(named[0][1], named[1][1]) if len(named) == 2 else None,
        rocs=_svg.rocs_svg(named),
    )


def card(report: Report) -> str:
    """A short form for notebooks, with styles that touch nothing else."""
    sentence, meaning = words.consequence(report)
    rows = _view.rows(report, _view.Footnotes(), _view.Axis())
    return _environment().get_template("card.html").render(report=report, sentence=sentence, meaning=meaning, rows=rows)


def _page(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("keepmum.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    told = {"v": _view, "h": _hidden, "l": _looks, "g": _gallery, "w": words}
    made.globals.update(**told, evidence=words.EVIDENCE, script_hash=_script_hash(made))
    return made


def _script_hash(environment: Environment) -> str:
    """What the page's own policy names the one script by that may run."""
    script = environment.get_template("script.js").render()
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
