"""The ladder, really run: its figures follow from the answers it left, on the rows it was given."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from project import (
    LABELS,
    NAME,
    Heard,
    context,
    copy,
    curate,
    jsonl,
    lived,
    make,
    respec,
    rows_of,
    run,
    sentences,
    untracked,
)
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError
from tailtune.core.reports import LadderReport
from tailtune.predictors.base import CachedEmbed
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.classification.config import RUNGS


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return lived(tmp_path_factory)


@pytest.fixture(scope="module")
def report(paths: Paths) -> LadderReport:
    return store.read_report(paths.case(NAME).report("ladder"), LadderReport, NAME)


def test_every_rung_is_measured_on_every_dev_row(paths: Paths, report: LadderReport) -> None:
    dev = rows_of(paths, "dev")
    assert [rung.name for rung in report.rungs] == list(RUNGS)
    assert report.dev_rows == len(dev) == 66
    assert report.train_rows == len(rows_of(paths, "train")) == 240
    assert {rung.quality.rows for rung in report.rungs} == {66}
    assert {rung.latency.rows for rung in report.rungs} == {20}
    assert report.unmeasured == ()
    assert report.label_rows == Counter(row.label for row in rows_of(paths, "train"))
    assert report.rows_digest == store.rows_digest(rows_of(paths, "train"), dev)


def test_the_figures_follow_from_the_answers(paths: Paths, report: LadderReport) -> None:
    answers = jsonl(paths.case(NAME).stage("ladder") / "dev_answers.jsonl")
    dev = rows_of(paths, "dev")
    assert [(a["id"], a["origin"], a["expected"]) for a in answers] == [(r.id, r.origin, r.label) for r in dev]
    expected = [row.label for row in dev]
    for rung in report.rungs:
        lines = [answer[rung.name] for answer in answers]
        right = sum(a == b for a, b in zip(lines, expected, strict=True))
        known = binomtest(right, len(dev)).proportion_ci(method="exact")
        assert rung.quality.value == right / len(dev)
        assert (rung.quality.low, rung.quality.high) == pytest.approx((known.low, known.high))
        macro = f1_score(expected, lines, average="macro", labels=sorted(set(expected)), zero_division=0)
        assert rung.metrics["macro_f1"].value == pytest.approx(macro)
        assert rung.usd_per_1000 == pytest.approx(rung.latency.mean_ms * 0.04 / 3600)
        assert rung.title == saved.title(rung.name)


def test_labels_help_and_the_floor_is_the_floor(report: LadderReport) -> None:
    accuracy = {rung.name: rung.quality.value for rung in report.rungs}
    assert accuracy["majority"] < 0.35
    assert min(accuracy["tfidf"], accuracy["retrieval"], accuracy["probe"]) > 0.7
    needs = {rung.name: rung.fit_rows for rung in report.rungs}
    assert needs == {"majority": 240, "tfidf": 240, "zero_shot": 0, "prototypes": 18, "retrieval": 240, "probe": 240}


def test_saved_rungs_answer_as_they_were_measured(paths: Paths) -> None:
    from tailtune.predictors.encoder import Encoder

    folder = paths.case(NAME).stage("ladder")
    answers = jsonl(folder / "dev_answers.jsonl")
    texts = [row.text for row in rows_of(paths, "dev")]
    embed = CachedEmbed(Encoder.load().embed)
    with untracked():
        embed.remember(texts, embed.plain(texts))
    for name in RUNGS:
        loaded = saved.load(folder / "rungs" / name, embed)
        same = np.mean([a.value == b[name] for a, b in zip(loaded.answer(texts), answers, strict=True)])
        assert same >= 65 / 66, name  # the encoder's batches differ: one near tie may turn
    assert not [
        path for path in folder.rglob("*") if path.is_file() and path.suffix not in (".json", ".jsonl", ".safetensors")
    ]


def test_the_curve_ends_at_the_probe_on_all_rows(report: LadderReport) -> None:
    assert [point.rows for point in report.curve] == [60, 120, 240]
    probe = next(rung for rung in report.rungs if rung.name == "probe")
    assert report.curve[-1].quality.value == probe.quality.value


def test_no_test_row_is_opened(paths: Paths, tmp_path: Path) -> None:
    other = copy(paths, tmp_path / "p")
    respec(other, {"ladder": {"rungs": ["majority"]}})
    other.case(NAME).rows("test").unlink()
    assert run(other, "ladder")[0].stage == "ladder"


def test_a_rung_that_is_no_longer_asked_for_leaves_nothing_to_evaluate(paths: Paths, tmp_path: Path) -> None:
    other = copy(paths, tmp_path / "p")
    respec(other, {"ladder": {"rungs": ["majority", "tfidf"], "max_fit_rows": 100, "curve_points": 2}})
    found = run(other, "ladder")[0]
    assert isinstance(found, LadderReport)
    assert sorted(path.name for path in (other.case(NAME).stage("ladder") / "rungs").iterdir()) == ["majority", "tfidf"]
    assert set(jsonl(other.case(NAME).stage("ladder") / "dev_answers.jsonl")[0]) == {
        "id", "origin", "expected", "majority", "tfidf",
    }  # fmt: skip
    assert (found.fit_rows_capped, found.train_rows) == (140, 240)
    assert {rung.fit_rows for rung in found.rungs} == {100}
    assert [point.rows for point in found.curve] == [50, 100]


def test_without_curated_or_validated_rows_it_says_what_to_run(tmp_path: Path) -> None:
    paths = make(tmp_path / "p")
    case = paths.case(NAME)
    case.passed.unlink()
    with pytest.raises(MissingInputError) as caught:
        perform("ladder", context(paths))
    assert caught.value.hint == f"tailtune validate {NAME}"
    case.rows("dev").unlink()
    with pytest.raises(MissingInputError) as caught:
        perform("ladder", context(paths))
    assert caught.value.hint == f"tailtune curate {NAME}"


def test_rows_that_changed_after_validation_are_refused(tmp_path: Path) -> None:
    paths = make(tmp_path / "p")
    passed = paths.case(NAME).passed.read_bytes()
    rows = sentences()
    curate(paths, [replace(rows[0], label=next(label for label in LABELS if label != rows[0].label)), *rows[1:]])
    paths.case(NAME).passed.write_bytes(passed)
    if rows[0].split == "test":
        pytest.fail("the first sentence must be one that validation's digest covers")
    with pytest.raises(MissingInputError, match="validation passed other rows"):
        perform("ladder", context(paths))
    assert not paths.case(NAME).stage("ladder").exists()


def test_progress_names_every_rung(paths: Paths, tmp_path: Path) -> None:
    other = copy(paths, tmp_path / "p")
    respec(other, {"ladder": {"rungs": ["majority"], "curve_points": 2}})
    given = context(other)
    with untracked():
        perform("ladder", given)
    assert isinstance(given.progress, Heard)
    assert any(line.startswith("encoded 306 rows") for line in given.progress.lines)
    assert any(line.startswith("Majority class: ") and line.endswith("on 66 dev rows") for line in given.progress.lines)


def test_a_saved_rung_notes_what_was_scrubbed_from_its_rows(tmp_path: Path) -> None:
    paths = make(tmp_path / "p", {"curate": {"scrub_pii": ["ip", "email"]}, "ladder": {"rungs": ["majority"]}})
    with untracked():
        perform("ladder", context(paths))
    assert saved.scrubbed(paths.case(NAME).stage("ladder") / "rungs" / "majority") == ("email", "ip")
