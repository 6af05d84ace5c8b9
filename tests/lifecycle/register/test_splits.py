"""Which keys make a champion incomparable: those that move rows between splits, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow.examples import MODEL_YAML, make_case

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.progress import Silent
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.register.splits import TAG, split_digest, splits_alike
from tailtune.services.corrections import Correction, write_corrections
from tailtune.services.mlflow import connect
from tailtune.tasks.use_case import load_use_case

OF_BEFORE = "bc2e253b9e33811c"
"""What the example's version was tagged with when whole sections were digested."""
TEST_FILE = ("{file: tickets.jsonl,", "{file: tickets.jsonl, test_file: test.jsonl,")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_case(tmp_path)
    return tmp_path


def spec(root: Path, *changes: tuple[str, str]) -> Context:
    """A context of the example with some changes of its model.yaml."""
    text = MODEL_YAML
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (root / "models" / "support-tickets" / "model.yaml").write_text(text)
    case = load_use_case(Paths(root), "support-tickets")
    return Context(case, Settings(), Silent(), connect(f"sqlite:///{root / 'never.db'}", case), "register")


@pytest.mark.parametrize(
    "change",
    [
        ("{file: tickets.jsonl,", "{file: more.csv,"),
        ("{file: tickets.jsonl,", "{file: tickets.jsonl, drop_rejected: false,"),
        ("label: label}", "label: topic}"),
        ("curate: {}", "curate: {min_chars: 5, max_chars: 900}"),
        ("targets: {", "targets: {margin: 0.02, "),
    ],
)
def test_a_key_that_moves_no_row_keeps_the_champion_comparable(root: Path, change: tuple[str, str]) -> None:
    assert split_digest(spec(root, change)) == split_digest(spec(root))


@pytest.mark.parametrize(
    "change",
    [
        ("split: {}", "split: {salt: other}"),
        ("split: {}", "split: {test_share: 0.2}"),
        ("split: {}", "split: {dev_share: 0.2}"),
        ("text: text,", "text: body,"),
        ("text: text,", "text: text, group: customer,"),
        ("curate: {}", "curate: {near_duplicate_similarity: 0.9}"),
        ("curate: {}", "curate: {scrub_pii: [email]}"),
        TEST_FILE,
    ],
)
def test_a_key_that_moves_rows_does_not(root: Path, change: tuple[str, str]) -> None:
    assert split_digest(spec(root, change)) != split_digest(spec(root))


def test_another_test_file_is_another_split_and_its_name_is_not(root: Path) -> None:
    given = spec(root, TEST_FILE)
    given.paths.data.mkdir(parents=True)
    seen = []
    for content in ("one", "two"):
        (given.paths.data / "test.jsonl").write_text(content)
        seen.append(split_digest(spec(root, TEST_FILE)))
    (given.paths.data / "held.jsonl").write_text("two")
    renamed = ("{file: tickets.jsonl,", "{file: tickets.jsonl, test_file: held.jsonl,")
    assert seen[0] != seen[1] == split_digest(spec(root, renamed))
    assert seen[1] == split_digest(spec(root, TEST_FILE, ("split: {}", "split: {dev_share: 0.2}")))


def test_a_champion_of_the_digest_of_before_stays_comparable(root: Path) -> None:
    then = {TAG: OF_BEFORE}
    assert splits_alike(spec(root), then)
    assert splits_alike(spec(root, ("targets: {", "targets: {margin: 0.02, ")), then)
    assert splits_alike(spec(root, ("split: {}", "split: {salt: other}")), then) is False
    assert splits_alike(spec(root), {}) is None


@pytest.mark.parametrize("changes", [(), (TEST_FILE,)])
def test_audited_rows_keep_the_champion_comparable(root: Path, changes: tuple[tuple[str, str], ...]) -> None:
    """No version learns from an audited row: what stood in train, or nearly, when it was audited is left out."""
    context = spec(root, *changes)
    context.paths.data.mkdir(parents=True)
    (context.paths.data / "test.jsonl").write_text("rows")
    before = split_digest(spec(root, *changes))
    answer = Correction("a1", "a text that nobody trained on", "billing", "Ana", "2026-11-01")
    write_corrections(context.paths.audits, [answer])
    assert splits_alike(spec(root, *changes), {TAG: before})
