"""Links, paths and tables of the pages are true."""

from __future__ import annotations

import re
import tomllib

import pytest

from docs.pages import ROOT, pages, prose
from tailtune.config.settings import Settings
from tailtune.core.errors import GateError, UsageError
from tailtune.lifecycle.curate import REASONS
from tailtune.lifecycle.table import STAGES
from tailtune.tasks.extraction.annotate import REASONS as OWN_REASONS

DERIVED = ("build/", "reports/", "data/", "mlflow/store/", ".run/", ".venv", ".dvc/cache/", "models/my-tickets/")
TOP = tuple(f"{path.name}/" for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
SHORT = (
    "services/",
    "lifecycle/",
    "tasks/",
    "judge/",
    "report/",
    "serving/",
    "predictors/",
    "config/",
    "core/",
    "cli/",
    "training/",
)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as forges make them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_relative_links_resolve() -> None:
    seen, wrong = 0, []
    for page, text in pages().items():
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(text)):
            if re.match(r"[a-z]+:", target):
                continue
            seen += 1
            path, _, anchor = target.partition("#")
            file = (ROOT / page).parent / path if path else ROOT / page
            if not file.exists():
                wrong.append(f"{page}: {target}")
            elif anchor and anchor not in anchors(file.read_text(encoding="utf-8")):
                wrong.append(f"{page}: {target}: no such heading")
    assert seen > 10
    assert not wrong


def test_paths_in_code_spans_exist() -> None:
    seen, wrong = 0, []
    for page, text in pages().items():
        for span in re.findall(r"`([^`\n]+)`", prose(text)):
            if not re.fullmatch(r"[\w.\-/]+", span) or "/" not in span or span.startswith(DERIVED):
                continue
            roots = [ROOT] if span.startswith(TOP) else [ROOT / "src" / "tailtune"] if span.startswith(SHORT) else []
            if not roots or re.search(r"/NAME\b|/NNN", span):
                continue
            seen += 1
            if not any((root / span).exists() for root in roots):
                wrong.append(f"{page}: {span}")
    assert seen > 50
    assert not wrong


def test_the_table_of_contributing_leads_somewhere() -> None:
    """Both the file to open and the test to run."""
    table = pages()["CONTRIBUTING.md"].partition("## I want to…")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 15
    for expected, opened, tested in rows:
        for column in (opened, tested):
            paths = [span for span in re.findall(r"`([^`]+)`", column) if "/" in span or "." in span]
            assert paths, f"{expected.strip()}: names no path"
            assert [path for path in paths if not (ROOT / path).exists()] == [], expected.strip()


def test_every_setting_is_in_the_guide() -> None:
    text = set(re.findall(r"^\| `TAILTUNE_(\w+)` \|", pages()["docs/guides/operate.md"], re.MULTILINE))
    assert text == {name.upper() for name in Settings.model_fields} | {"ROOT"}


def test_no_page_names_a_setting_that_is_not_there() -> None:
    known = {f"TAILTUNE_{name.upper()}" for name in Settings.model_fields} | {"TAILTUNE_ROOT"}
    named = {(page, name) for page, text in pages().items() for name in re.findall(r"TAILTUNE_[A-Z_]+\b", text)}
    assert len(named) > 5
    assert [(page, name) for page, name in named if name not in known] == []


def test_the_defaults_of_settings_are_those_in_the_guide() -> None:
    text = pages()["docs/guides/operate.md"]
    shown = {
        name: field.default for name, field in Settings.model_fields.items() if isinstance(field.default, str | int)
    }
    assert shown
    for name, default in shown.items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `TAILTUNE_{name.upper()}` |"))
        assert row.split("|")[2].strip().strip("`") == str(default)


def test_every_reason_for_dropping_a_row_is_in_the_guide() -> None:
    text = pages()["docs/guides/bring-your-own-data.md"].partition("## What happens to your rows")[2]
    lines = [name for row in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(lines) == sorted(REASONS)


def test_every_reason_of_extraction_is_in_its_guide() -> None:
    text = pages()["docs/guides/extract-objects.md"].partition("## What happens to your rows")[2]
    message = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert message == list(OWN_REASONS)


def test_the_readme_names_every_stage_in_order() -> None:
    life = " → ".join(stage.name for stage in STAGES)
    assert life in re.sub(r"\s+", " ", pages()["README.md"])


def test_the_readme_tells_the_exit_codes() -> None:
    codes = {1: "failed", UsageError.exit_code: "used wrongly", GateError.exit_code: "a gate said no"}
    for code, meaning in codes.items():
        assert f"{code} {meaning}" in pages()["README.md"]


def test_the_floors_are_those_of_the_contract() -> None:
    """ADR 002 draws them, CONTRIBUTING tells them; import-linter holds them."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(one["layers"] for one in linter["contracts"] if one["type"] == "layers")
    rooms = (layer.replace("tailtune.", "").split(" | ") for layer in layers)
    floors = [[room for room in floor if not room.startswith("(")] for floor in rooms]  # in brackets: still to come
    assert len(floors) > 5
    text = pages()["CONTRIBUTING.md"].partition("| floor |")[2].partition("\n\n")[0]
    assert [re.findall(r"`(\w+)`", row.split("|")[1]) for row in text.splitlines()[2:]] == floors
    drawn = "\n".join(" | ".join(floor) for floor in floors)
    assert f"```\n{drawn}\n```" in pages()["docs/adr/002-the-floors.md"]


@pytest.fixture(scope="module")
def decisions() -> dict[str, str]:
    found = {page: text for page, text in pages().items() if page.startswith("docs/adr/")}
    assert found
    return found


def test_decisions_are_numbered_without_a_gap(decisions: dict[str, str]) -> None:
    numbers = [int(page.removeprefix("docs/adr/")[:3]) for page in sorted(decisions)]
    assert numbers == list(range(1, len(numbers) + 1))
    for page, text in decisions.items():
        assert text.startswith(f"# {page.removeprefix('docs/adr/')[:3]}. ")


def test_every_decision_says_problem_decision_alternatives_and_pins(decisions: dict[str, str]) -> None:
    for page, text in decisions.items():
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Problem", "Decision", "Alternatives", "What pins it"], page
        assert re.search(r"`(tests|benchmarks)/", text.partition("## What pins it")[2]), page
