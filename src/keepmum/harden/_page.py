"""The frontier as one page that needs nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keepmum.harden import _words
from keepmum.harden._plot import draw

if TYPE_CHECKING:
    from keepmum.harden.frontier import Frontier


def page(frontier: Frontier) -> str:
    """``harden.html``."""
    from keepmum._version import __version__
    from keepmum.report._html import _page
    from keepmum.report._svg import PAGE, _figure, themed
    from keepmum.report.plots import frame

    figure, axes = _figure(6.4, 4.4)
    draw(frontier, axes, (PAGE.ink, *PAGE.series[:3]), PAGE.muted)
    frame(axes, PAGE)
    told = "; ".join(
        f"{number}: {row.name}, accuracy {100 * row.accuracy:.0f} %, worst leak {100 * row.leak:.0f} %"
        for number, row in enumerate(frontier.rows)
        if row.metrics
    )
    picture = themed(figure, "frontier", "Accuracy against the worst leak, defense by defense", told)
    return _page(
        "harden.html",
        frontier=frontier,
        picture=picture,
        head=_words.head(frontier),
        lines=list(zip(frontier.rows, _words.lines(frontier), strict=True)),
        summary=_words.summary(frontier),
        limits=_words.LIMITS,
        version=__version__,
    )
