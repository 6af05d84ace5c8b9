"""Wrong labels are found, named, corrected through a file, and the ceiling rises: on rows whose truth is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from project import _PHRASES as PHRASES
from project import LABELS, sentences

from lifecycle.helpers import NAME, jsonl, perform, project
from tailtune.core.reports import LadderReport
from tailtune.lifecycle import suspect_labels
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.corrections import receive
from tailtune.predictors.base import CachedEmbed
from tailtune.predictors.encoder import Encoder
from tailtune.services import store
from tailtune.services.corrections import write_corrections


def truth(text: str) -> str:
    """The label that a text was made for."""
    (label,) = (label for label, (_, *phrases) in PHRASES.items() for phrase in phrases if _says(text, phrase))
    return label


def _says(text: str, phrase: str) -> bool:
    rest = text.partition(phrase)
    return bool(rest[1]) and rest[2] in ("", " since yesterday", " what should i do now?")


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """Rows of which one label in eight is wrong, in a project of their own."""
    rows = [{"text": row.text, "label": row.label} for row in sentences()]
    made = project(
        tmp_path_factory.mktemp("noisy"),
        {"r.jsonl": jsonl(rows)},
        labels=list(LABELS),
        curate={"near_duplicate_similarity": 1.0},
        split={"dev_share": 0.3, "test_share": 0.1},
        ladder={"rungs": ["retrieval", "probe"], "latency_rows": 20, "curve_points": 2},
        targets={"accuracy": 0.97},
    )
    made.paths.project.prices.write_text("as_of: 2026-01-01\nperson_hour_usd: 36\n", encoding="utf-8")
    return made


def laddered(context: Context) -> LadderReport:
    """Curate and measure, without the suite of validation."""
    perform("curate", context)
    rows = {split: store.read_rows(context.paths.rows(split), split, NAME) for split in ("train", "dev", "test")}
    digests = {"rows_digest": store.rows_digest(rows["train"], rows["dev"])}
    store.write_json(context.paths.passed, digests | {"test_digest": store.rows_digest(rows["test"])})
    report: LadderReport = perform("ladder", context)
    return report


def suspect_lines(context: Context) -> list[dict[str, Any]]:
    file = context.paths.stage("ladder") / "suspect_labels.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_from_suspect_labels_to_a_higher_ceiling(context: Context) -> None:
    before = laddered(context)
    dev, train = before.labels
    assert [dev.split, train.split, before.labels_unchecked] == ["dev", "train", ""]
    assert (dev.rows, train.rows) == (before.dev_rows, before.train_rows)

    lines = suspect_lines(context)
    assert [line["split"] for line in lines] == ["dev"] * dev.suspect_rows + ["train"] * train.suspect_rows
    wrong = [line["label"] != truth(line["text"]) for line in lines]
    assert sum(wrong) / len(wrong) > 0.75
    real = {row.id for row in sentences() if row.label != truth(row.text)}
    assert len(lines) > len(real) / 3
    everyone = [row for split in ("train", "dev") for row in store.read_rows(context.paths.rows(split), split, NAME)]  # type: ignore[arg-type]
    share = sum(row.label != truth(row.text) for row in everyone if row.split == "dev") / dev.rows
    assert dev.wrong.low <= share <= dev.wrong.high

    review = context.paths.project.root / "review.jsonl"
    seen = [{"id": line["id"], "label": truth(line["text"]), "who": "Ana"} for line in lines]
    review.write_bytes(jsonl(seen))
    corrections, _ = receive(context.case, review, "review.jsonl")
    write_corrections(context.paths.corrections, corrections)

    after = laddered(context)
    assert after.labels[0].reviewed_rows == dev.suspect_rows
    assert after.labels[0].ceiling.value > dev.ceiling.value
    assert after.labels[0].suspect_rows < dev.suspect_rows
    best = [max(rung.quality.value for rung in report.rungs) for report in (before, after)]
    assert best[1] > best[0]


def test_without_its_rungs_on_the_ladder_nothing_is_checked_and_it_is_said(tmp_path: Path) -> None:
    rows = [{"text": row.text, "label": row.label} for row in sentences()]
    keys = {"ladder": {"rungs": ["majority", "probe"], "latency_rows": 20, "curve_points": 2}}
    made = project(tmp_path, {"r.jsonl": jsonl(rows)}, list(LABELS), curate={"near_duplicate_similarity": 1.0}, **keys)
    report = laddered(made)
    assert report.labels == ()
    assert report.labels_unchecked == "retrieval not measured; labels are checked by probe and retrieval"
    assert not (made.paths.stage("ladder") / "suspect_labels.jsonl").exists()


def test_train_rows_of_one_group_are_named_as_not_checked(context: Context) -> None:
    laddered(context)
    with_ladder = replace(context, stage="ladder")
    rows, dev = (
        [replace(row, group="one customer") for row in store.read_rows(context.paths.rows(split), split, NAME)]
        for split in ("train", "dev")
    )
    embed = CachedEmbed(Encoder.load().embed)
    fitting = context.case.task.fit_context(rows, embed)
    noises, unchecked = suspect_labels.check_dev_and_train(with_ladder, fitting, dev, embed)
    assert [noise.split for noise in noises] == ["dev"]
    assert unchecked == "labels of train: its groups are too few to fit rungs without some of them"
