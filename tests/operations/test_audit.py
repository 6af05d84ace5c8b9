"""An audit from the draw to what it says: fair rows, faults with their lines, a fall that is seen, results kept."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from project import ROOT
from services.mlflow.conftest import THIRD_PARTY
from services.mlflow.versions import register
from tasks.classification import contract
from worlds.watched import FIRST_DAY, NAME, WatchedCase, texts_of

from tailtune.config.paths import Paths
from tailtune.config.settings import Settings
from tailtune.core.audits import Audit, AuditRow
from tailtune.core.days import DAY_US
from tailtune.core.errors import DataError, UsageError
from tailtune.core.progress import Silent
from tailtune.lifecycle.context import Context
from tailtune.operations import audit as operations
from tailtune.operations.audit import DrawnText, draw, judge_rows, labelled_row, read
from tailtune.operations.monitor import look_at_log
from tailtune.operations.reference import KnownReference, reference_of
from tailtune.operations.windows import Window
from tailtune.services.audits import Audits
from tailtune.services.mlflow import connect
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.tasks.use_case import load_use_case

pytestmark = THIRD_PARTY
WEEK = Window(FIRST_DAY, FIRST_DAY + 1)
Label = Callable[[DrawnText], str]


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    for number in range(2):
        world.usual_day(FIRST_DAY + number)
    return world


def truth(text: str) -> str:
    """The class that a text was drawn from."""
    return next(label for label, words in contract.WORDS.items() if text.split()[0] in words.split())


def right(drawn: DrawnText) -> str:
    return truth(drawn.text)


def filled(tmp_path: Path, texts: list[DrawnText], label: Label, rows: int = 1000, who: str = "Ana") -> Path:
    file = tmp_path / "audit.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(("id", "text", "label", "who"))
        for place, each in enumerate(texts):
            cells = (label(each), who) if place < rows else ("", "")
            writer.writerow((each.row.id, each.text, *cells))
    return file


def judged(world: WatchedCase, file: Path) -> tuple[Audit, float, bool]:
    audit, labelled = read(world.context, file, "audit.csv")
    result = judge_rows(world.context, audit, labelled)
    assert result.fall is not None
    return audit, result.accuracy.value, result.fall.decision.yes


def test_the_same_window_and_seed_draw_the_same_rows_and_another_seed_others(world: WatchedCase) -> None:
    audit, texts = draw(world.context, "champion", WEEK, 20, 1)
    assert (audit.window_rows, len(audit.rows), len({row.request_id for row in audit.rows})) == (120, 20, 20)
    assert sum(row.weight for row in audit.rows) == pytest.approx(120)
    assert all(each.text and each.row.answer == each.likeliest[0][0] for each in texts)
    assert draw(world.context, "champion", WEEK, 20, 1)[0] == audit
    other = draw(world.context, "champion", WEEK, 20, 2)[0]
    assert {row.request_id for row in other.rows} != {row.request_id for row in audit.rows}


def test_a_day_that_goes_on_is_audited_and_no_row_is_drawn_twice(world: WatchedCase, tmp_path: Path) -> None:
    so_far, whole = Window(FIRST_DAY, FIRST_DAY, is_over=False), Window(FIRST_DAY, FIRST_DAY)
    drawn = [draw(world.context, "champion", so_far, 20, 1)]
    world.log(FIRST_DAY, texts_of("billing", 30, 7))
    drawn += [draw(world.context, "champion", so_far, 20, 1), draw(world.context, "champion", whole, 20, 1)]
    audits = [audit for audit, _ in drawn]
    assert [(each.is_over, each.drawn_before, each.window_rows) for each in audits] == [
        (False, 0, 60), (False, 20, 70), (True, 40, 50)
    ]  # fmt: skip
    assert len({row.request_id for each in audits for row in each.rows}) == 60
    assert draw(world.context, "champion", whole, 20, 1)[0] == audits[2]
    for audit, texts in drawn:
        assert judged(world, filled(tmp_path, texts, right))[0] == audit
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        results = [result for _, result in store.results(NAME, world.version)]
    last = max(results, key=lambda each: each.judged_at)
    assert (last.audits, last.over_time.rows, last.accuracy.rows) == (3, 60, 20)
    assert draw(world.context, "champion", so_far, 1000, 1)[0].window_rows == 50
    with pytest.raises(UsageError, match="all 90 rows of 2024-10-04 were drawn before"):
        draw(world.context, "champion", so_far, 20, 1)


def test_a_window_whose_rows_changed_is_another_audit_and_labels_stay_with_their_texts(
    world: WatchedCase, tmp_path: Path
) -> None:
    def late() -> None:
        world.log(FIRST_DAY, texts_of("billing", 30, 7))

    def deleted() -> None:
        with closing(PredictionLog(world.settings.prediction_log_url(world.case.paths.project))) as log:
            assert log.delete_before(NAME, (FIRST_DAY + 1) * DAY_US) == 90

    drawn = [draw(world.context, "champion", WEEK, 20, 1)]
    for change in (late, deleted):
        change()
        drawn.append(draw(world.context, "champion", WEEK, 20, 1))
        assert draw(world.context, "champion", WEEK, 20, 1)[0] == drawn[-1][0]
    assert len({audit.id for audit, _ in drawn}) == 3
    for audit, texts in drawn:
        kept, labelled = read(world.context, filled(tmp_path, texts, right), "audit.csv")
        assert kept == audit
        assert [each.answer.text for each in labelled] == [each.text for each in texts]
        assert [each.score for each in labelled] == [float(each.row.answer == truth(each.text)) for each in texts]


def test_where_clients_reuse_request_ids_texts_and_answers_are_those_of_the_window(
    world: WatchedCase, tmp_path: Path
) -> None:
    first, second = Window(FIRST_DAY + 5, FIRST_DAY + 5), Window(FIRST_DAY + 6, FIRST_DAY + 6)
    logged = {first: texts_of("billing", 30, 5), second: texts_of("login", 30, 6)}
    ids = [f"own-{number}" for number in range(30)]
    for day, texts in logged.items():
        world.log(day.first, texts, request_ids=ids)
    for day, texts in logged.items():
        audit, drawn = draw(world.context, "champion", day, 10, 1)
        assert {each.text for each in drawn} <= {*texts} and len(audit.rows) == 10
        assert [each.row.answer for each in drawn] == [world.answer(each.text) for each in drawn]
        unseen = [replace(each, text="") for each in drawn]  # so that texts can only be read from the log
        _, labelled = read(world.context, filled(tmp_path, unseen, lambda _: "billing"), "audit.csv")
        assert [each.answer.text for each in labelled] == [each.text for each in drawn]
        result = judge_rows(world.context, audit, labelled)
    assert result.over_time.rows == 20, "rows of two days are two rows"
    _, drawn = draw(world.context, "champion", first, 10, 1)
    with closing(PredictionLog(world.settings.prediction_log_url(world.case.paths.project))) as log:
        log.delete_before(NAME, second.since_us)
    _, labelled = read(world.context, filled(tmp_path, drawn, right), "audit.csv")
    assert [each.answer.text for each in labelled] == [each.text for each in drawn], "not of the other day"


def test_rows_of_audits_kept_without_a_time_are_the_last_of_their_request(world: WatchedCase, tmp_path: Path) -> None:
    audit, texts = draw(world.context, "champion", WEEK, 10, 1)
    written = audit.model_dump_json(exclude={"rows": {"__all__": {"at_us"}}}).replace(audit.id, "a0")
    before = Audit.model_validate_json(written)
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        store.keep(before)
    rows = [replace(each, row=row, text="") for each, row in zip(texts, before.rows, strict=True)]
    for drawn in (rows, texts):
        kept, labelled = read(world.context, filled(tmp_path, drawn, lambda _: "billing"), "audit.csv")
        assert [each.answer.text for each in labelled] == [each.text for each in texts]
        result = judge_rows(world.context, kept, labelled)
    assert (result.audits, result.over_time.rows) == (2, 10), "a row of both counts once"


def test_right_labels_give_the_accuracy_and_show_no_fall(world: WatchedCase, tmp_path: Path) -> None:
    _, texts = draw(world.context, "champion", WEEK, 40, 1)
    _, accuracy, fell = judged(world, filled(tmp_path, texts, right))
    wrong = sum(each.row.answer != truth(each.text) for each in texts)
    assert accuracy == pytest.approx(1 - wrong / 40, abs=0.03)
    assert not fell


def test_swapped_labels_are_a_fall_that_probabilities_do_not_show(world: WatchedCase, tmp_path: Path) -> None:
    swapped = {"billing": "login", "login": "billing"}
    _, texts = draw(world.context, "champion", WEEK, 40, 1)
    audit, accuracy, fell = judged(world, filled(tmp_path, texts, lambda each: swapped.get(right(each), right(each))))
    assert fell and accuracy < 0.7
    by = {each.by: each for each in look_at_log(world.context, "champion", WEEK).now}
    assert by["audit"].accuracy is not None and by["audit"].accuracy.value == accuracy
    assert "accuracy fell" in by["audit"].note and str(len(audit.rows)) in by["audit"].note
    expected = by["no labels"].accuracy
    assert expected is not None and expected.low > accuracy, "probabilities know nothing of it"


def test_a_part_counts_and_the_whole_replaces_it(world: WatchedCase, tmp_path: Path) -> None:
    audit, texts = draw(world.context, "champion", WEEK, 30, 1)
    for rows in (12, 30):
        judged(world, filled(tmp_path, texts, right, rows))
        with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
            ((kept, result),) = store.results(NAME, world.version)
        assert (kept, result.labelled, result.audits) == (audit, rows, 1)


def test_audits_of_a_version_are_counted_together_and_a_row_once(world: WatchedCase, tmp_path: Path) -> None:
    for seed in (1, 2):
        _, texts = draw(world.context, "champion", WEEK, 30, seed)
        audit, labelled = read(world.context, filled(tmp_path, texts, right), "audit.csv")
        result = judge_rows(world.context, audit, labelled)
    assert result.audits == 2
    assert 30 < result.over_time.rows < 60
    assert result.over_time.low < result.accuracy.value


def test_faults_have_their_lines(world: WatchedCase, tmp_path: Path) -> None:
    _, texts = draw(world.context, "champion", WEEK, 4, 1)
    file = tmp_path / "audit.csv"
    ids = [each.row.id for each in texts]
    file.write_text(
        f"id,label,who,text\n{ids[0]},biling,Ana,\n{ids[1]},,Ana,\n{ids[2]},billing,,\n{ids[3]},,,\n"
        f"a0-001,billing,Ana,\n{ids[0]},login,Ana,\n{ids[0]},billing,Ana,\n"
    )
    with pytest.raises(DataError) as error:
        read(world.context, file, "audit.csv")
    words = str(error.value)
    assert "audit.csv:2  label `biling` is not in" in words and "did you mean billing?" in words
    assert "audit.csv:3  `label` is empty" in words
    assert "audit.csv:4  `who` is empty" in words
    assert "audit.csv:5" not in words
    assert "audit.csv:6  no row has the id a0-001" in words
    assert "audit.csv:8" in words and "another label" in words


def test_an_empty_file_and_a_foreign_one_are_refused(world: WatchedCase, tmp_path: Path) -> None:
    _, texts = draw(world.context, "champion", WEEK, 4, 1)
    with pytest.raises(DataError, match="nobody has filled it in"):
        read(world.context, filled(tmp_path, texts, right, 0), "audit.csv")
    file = tmp_path / "audit.csv"
    file.write_text("id,label,who\nzzz-001,billing,Ana\n")
    with pytest.raises(UsageError, match="no audit zzz of support-tickets was drawn"):
        read(world.context, file, "audit.csv")


def test_hashed_texts_cannot_be_labelled(world: WatchedCase) -> None:
    world.log(FIRST_DAY + 5, texts_of("billing", 5, 1), keep_text=False)
    with pytest.raises(UsageError, match="texts of its 5 rows of 2024-10-09 were not kept"):
        draw(world.context, "champion", Window(FIRST_DAY + 5, FIRST_DAY + 5), 4, 1)
    with pytest.raises(UsageError, match="answered no row of 2024-10-13"):
        draw(world.context, "champion", Window(FIRST_DAY + 9, FIRST_DAY + 9), 4, 1)
    audit, _ = draw(world.context, "champion", Window(FIRST_DAY, FIRST_DAY + 5), 4, 1)
    assert (audit.window_rows, audit.without_text) == (120, 5)


def test_what_the_log_forgot_is_judged_by_the_draw_and_the_files_text(world: WatchedCase, tmp_path: Path) -> None:
    _, texts = draw(world.context, "champion", WEEK, 10, 1)
    file = filled(tmp_path, texts, right)
    expected = judged(world, file)
    with closing(PredictionLog(world.settings.prediction_log_url(world.case.paths.project))) as log:
        assert log.delete_before(NAME, 2**60) == 120
    assert judged(world, file) == expected


def test_objects_are_worth_their_share_of_right_fields(tmp_path: Path) -> None:
    case = load_use_case(Paths(ROOT), "insurance-claims")
    first, second = "policy_number", "policyholder_name"
    text = "policy AB1234567 of Ada Lovelace"
    context = Context(case, Settings(), Silent(), connect(f"sqlite:///{tmp_path / 'never.db'}", case), "audit")
    row = AuditRow(
        id="a1-001",
        request_id="r1",
        row=0,
        stratum=0,
        weight=1.0,
        answer=json.dumps({first: "AB1234567", second: "somebody"}),
        confidence=0.9,
    )
    expected = {first: "AB1234567", second: "Ada Lovelace"}
    values = {"label": json.dumps(expected), "who": "Ana", "text": text, "at": None}
    assert labelled_row(context, None, row, values, "2026-11-01").score == pytest.approx(0.5)
    right_row = row.model_copy(update={"answer": json.dumps(expected)})
    assert labelled_row(context, None, right_row, values, "2026-11-01").score == 1.0
    with pytest.raises(ValueError, match="JSON"):
        labelled_row(context, None, row, values | {"label": "AB"}, "2026-11-01")


def test_parts_that_several_people_labelled_are_one_audit(world: WatchedCase, tmp_path: Path) -> None:
    _, texts = draw(world.context, "champion", WEEK, 30, 1)
    for part, rows in ((texts[:12], 12), (texts[12:], 30)):
        audit, labelled = read(world.context, filled(tmp_path, part, right), "audit.csv")
        assert judge_rows(world.context, audit, labelled).labelled == rows
    everything = judged(world, filled(tmp_path, texts, right))[1]
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        ((_, result),) = store.results(NAME, world.version)
    assert (result.labelled, result.accuracy.value) == (30, everything)


def test_a_part_that_comes_in_while_mlflow_is_asked_for_another_is_not_lost(
    world: WatchedCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit, texts = draw(world.context, "champion", WEEK, 30, 1)
    first, second = (
        read(world.context, filled(tmp_path, part, right), "audit.csv")[1] for part in (texts[:12], texts[12:])
    )
    meanwhile = [second]

    def reference(context: Context, version: Version) -> KnownReference:
        if meanwhile:
            assert judge_rows(world.context, audit, meanwhile.pop()).labelled == 18
        return reference_of(context, version)

    monkeypatch.setattr(operations, "reference_of", reference)
    assert judge_rows(world.context, audit, first).labelled == 30
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        ((_, result),) = store.results(NAME, world.version)
    assert {*result.scores} == {row.id for row in audit.rows}


def test_rows_of_another_version_are_not_drawn_and_an_audit_stays_that_of_its_version(
    world: WatchedCase, probe: Path, tmp_path: Path
) -> None:
    own, world.version = world.version, "77"
    world.log(FIRST_DAY, texts_of("billing", 9, 5))
    audit, texts = draw(world.context, "champion", WEEK, 1000, 1)
    assert (audit.version, audit.window_rows, audit.other_rows) == (own, 120, 9)
    newer = register(world.tracker, probe, "champion", model=NAME)[0]
    assert judged(world, filled(tmp_path, texts, right))[0].version == own
    with closing(Audits(world.settings.prediction_log_url(world.case.paths.project))) as store:
        assert len(store.results(NAME, own)) == 1 and not store.results(NAME, newer)
