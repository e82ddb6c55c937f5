"""Documentation is part of the product: what can be used is described, what is described works."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from keepmum import errors
from keepmum.attacks import attack_classes
from keepmum.cli._app import VERBS, Exit, build
from keepmum.findings import Outcome
from keepmum.policy import METRICS, POLICIES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "examples").glob("*.md")])
PAGES = [page for page in PAGES if "_build" not in page.parts]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CLAIM = re.compile(
    r"\b(?:is|are|was|be|model|data|it's|fully|certified|guaranteed)\s+(?:now\s+)?"
    r"(?:private|safe|anonymous|anonymized|compliant|GDPR-compliant)\b",
    re.IGNORECASE,
)
DENIAL = re.compile(r"\b(?:not|no|never|nor|cannot|whether)\b|n't\b|\bthat a model\b", re.IGNORECASE)


def text(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


def entries() -> dict[str, str]:
    """Each attack's entry: heading → what stands below it."""
    parts = re.split(r"^### (\S+)$", text("reference/attacks.md"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], (re.split(r"^## ", body, flags=re.MULTILINE)[0] for body in parts[1::2]), strict=True))


def test_the_attacks_and_their_entries_are_the_same_set() -> None:
    assert sorted(entries()) == [cls.id for cls in attack_classes()]


@pytest.mark.parametrize("cls", attack_classes(), ids=lambda cls: cls.id)
def test_an_entry_tells_access_and_source(cls: type) -> None:
    entry = entries()[cls.id]
    assert f"**Access:** {getattr(cls, 'sees', cls.needs.access)}." in entry
    for reference in cls.references:
        kind, _, number = reference.partition(":")
        assert (number if kind in ("arXiv", "doi") else reference.split(" guidance")[0]) in entry


@pytest.mark.parametrize("cls", attack_classes(), ids=lambda cls: cls.id)
def test_the_readme_lists_every_attack(cls: type) -> None:
    assert f"`{cls.id}`" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_and_option_is_documented(verb: str) -> None:
    page = text("reference/cli.md")
    headings = re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE)
    assert any(re.search(rf"\b{verb}\b", heading) for heading in headings), f"reference/cli.md has no section {verb}"
    options = [option for option in build()[verb].assemble_argument_collection() if option.parse]
    names = {name for option in options for name in option.names}
    missing = sorted(name for name in names if name.startswith("--") and not re.search(rf"{name}\b", page))
    assert not missing, f"docs/reference/cli.md does not tell about {missing}"


def test_every_error_is_documented() -> None:
    page = text("reference/errors.md")
    kinds = [n for n, v in inspect.getmembers(errors, inspect.isclass) if issubclass(v, errors.KeepmumError)]
    assert len(kinds) > 5
    assert [name for name in kinds if f"`{name}`" not in page] == []


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_documented(code: Exit) -> None:
    assert f"| `{code.value}` |" in text("reference/exit-codes.md")


def test_every_outcome_and_metric_is_documented() -> None:
    schema, attacks = text("reference/report-schema.md"), text("reference/attacks.md")
    assert [o.value for o in Outcome if f"`{o.value}`" not in schema] == []
    assert [m for m in METRICS if f"`{m}`" not in schema and f"`{m}`" not in attacks] == []


def test_every_policy_is_documented() -> None:
    assert [name for name in POLICIES if f"`{name}`" not in text("how-to/gate-in-ci.md")] == []


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        if "://" not in link and not link.startswith(("#", "mailto:")):
            assert (page.parent / link.split("#")[0]).exists(), f"{link} leads nowhere"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_no_page_claims_what_no_test_can_show(page: Path) -> None:
    for line in page.read_text(encoding="utf-8").splitlines():
        assert not CLAIM.search(line) or DENIAL.search(line), line


def test_the_claim_test_can_fail() -> None:
    assert CLAIM.search("This model is safe.")
    assert not DENIAL.search("This model is safe.")
    assert DENIAL.search("It does not claim that the model is safe.")


def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert getattr(names["report"], "outcome") is Outcome.LEAK  # noqa: B009
    assert (tmp_path / "audit" / "report.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "in_the_repository"), [("first-audit", False), ("fredriksons-attack", True), ("faces", False)]
)
def test_a_tutorial_prints_what_it_quotes(
    page: str,
    in_the_repository: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Word for word; numbers may differ in the last digits between machines."""
    monkeypatch.chdir(ROOT if in_the_repository else tmp_path)
    names: dict[str, object] = {}
    quoted = 0
    for code, output in re.findall(
        r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", text(f"tutorials/{page}.md"), flags=re.DOTALL
    ):
        exec(compile(code, f"{page}.md", "exec"), names)
        assert without_numbers(capsys.readouterr().out) == without_numbers(output)
        quoted += bool(output)
    assert quoted >= 5


def without_numbers(printed: str) -> str:
    return re.sub(r"\d[\d.,]*", "#", printed).strip()


def test_the_readme_opens_with_the_two_commands() -> None:
    head = (ROOT / "README.md").read_text(encoding="utf-8").split("\n## ")[0]
    assert "make demo" in head
    assert "make test" in head
    assert "docs/images/report.png" in head


def test_pictures_are_there_and_small() -> None:
    for page in PAGES:
        for link in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).stat().st_size < 300_000
