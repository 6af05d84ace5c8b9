"""What is new to learn from: right answers that were sent, files in a folder, and what the last retrain had."""

from __future__ import annotations

import json
import time

import pytest
from cli.checkout import write

from operations.retrain.conftest import context_of
from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.errors import DataError, UsageError
from tailtune.operations.retrain.labels import Gathered, _labels_in, gather
from tailtune.services import versions
from tailtune.services.corrections import Correction, write_corrections
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log import LoggedFeedback, Spool
from tailtune.services.prediction_log.opening import opened

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
NOW_US = time.time_ns() // 1000


def gathered(paths: Paths, pin: str | None = None, newest: Version | None = None) -> Gathered:
    with opened(paths, Settings(), "first") as log:
        return gather(context_of(paths), log, newest, pin)


def version(paths: Paths) -> Version:
    return Version("first", "1", "r", (), {"data_hash": versions.data_hash(paths) or ""}, 0)


def send(paths: Paths, text: str, label: str) -> None:
    spool = Spool(Settings().spool_folder(paths) / "first")
    assert spool.append_feedback(LoggedFeedback(NOW_US, "first", label, "Ana", text=text))
    spool.close()


def declare(paths: Paths, section: str) -> None:
    file = paths.case("first").model_yaml
    file.write_text(file.read_text() + section)


def test_what_people_sent_is_new_and_stays_for_those_who_take_it_in(paths: Paths) -> None:
    send(paths, "the bank charged me twice", "billing")
    send(paths, "let me in", "entry")
    newest = version(paths)
    for _ in range(2):
        found = gathered(paths, newest=newest)
        assert [(each.text, each.label) for each in found.feedback] == [("the bank charged me twice", "billing")]
        assert found.new_labels == 1 and found.changes == ()
        assert (found.since(NOW_US - 1_000_000), found.since(NOW_US + 1)) == (1, 0)
        assert "1 right answer cannot be used" in found.notes[0] and "entry" in found.notes[0]
    assert not paths.case("first").feedback.exists()


def test_a_label_with_a_separator_of_lines_is_one_label() -> None:
    lines = [json.dumps({"id": n, "label": "a\u2028b\x85c", "at": "now"}, ensure_ascii=False) for n in (1, 2)]
    assert len(_labels_in("feedback.jsonl", "\n".join(lines) + "\n")) == 2


def test_files_in_the_declared_folder_are_read_each_time_and_count_once(paths: Paths) -> None:
    declare(paths, "retrain: {labels_from: new}\n")
    with pytest.raises(UsageError, match="is no folder"):
        gathered(paths)
    (paths.root / "new").mkdir()
    (paths.root / "new" / "notes.txt").write_text("no rows")
    write(paths.root / "new" / "a.csv", [{"text": "who may reset my password", "label": "login", "who": "Ben"}])
    newest = version(paths)
    first, second = gathered(paths, newest=newest), gathered(paths, newest=newest)
    assert first.new_labels == 1 and first.feedback == second.feedback
    write(paths.root / "new" / "b.csv", [{"text": "pay me back", "label": "refnd", "who": "Ben"}])
    with pytest.raises(DataError, match=r"new/b\.csv:2"):
        gathered(paths, newest=newest)


def test_what_the_last_retrain_had_is_kept_and_is_not_new(paths: Paths) -> None:
    """Its branch may never be merged, and the log forgets: the pin and DVC's cache have its right answers."""
    newest, case = version(paths), paths.case("first")
    before = case.project.data_dvc.read_bytes()
    write_corrections(case.feedback, [Correction("1", "pay me", "refund", "Ana", "2026-11-01T00:00:00+00:00")])
    pin = versions.pin_data(paths, "first")
    case.feedback.unlink()
    case.project.data_dvc.write_bytes(before)
    send(paths, "the bank charged me twice", "billing")
    found = gathered(paths, pin, newest)
    assert {each.label for each in found.feedback} == {"refund", "billing"}
    assert found.new_labels == 1 and not found.notes
    lost = gathered(paths, "0" * 32 + ".dir", newest)
    assert {each.label for each in lost.feedback} == {"billing"}
    assert any("does not have the right answers of the last retrain" in note for note in lost.notes)


def test_other_rows_are_a_change_and_labels_of_people_are_none(paths: Paths) -> None:
    newest, case = version(paths), paths.case("first")
    write_corrections(case.audits, [Correction("1", "pay me", "refund", "Ana", "2026-11-01T00:00:00+00:00")])
    versions.pin_data(paths, "first")
    found = gathered(paths, newest=newest)
    assert (found.new_labels, found.audited, found.changes) == (0, 1, ()), "audited rows are test rows"
    write(case.data / "rows.csv", [{"text": f"another text, number {i}", "label": "login"} for i in range(9)])
    versions.pin_data(paths, "first")
    assert gathered(paths, newest=newest).changes == ("other rows",)
    assert gathered(paths).changes == ("no version yet",)


def test_rows_of_an_accepted_class_are_new_labels(paths: Paths) -> None:
    newest, case = version(paths), paths.case("first")
    write_corrections(case.proposed, [Correction("1", "let me in", "login", "Ana", "2026-11-01")])
    versions.pin_data(paths, "first")
    assert gathered(paths, newest=newest).new_labels == 1
    assert gathered(paths, newest=version(paths)).new_labels == 0
