"""The stage on a toy project: who is asked what, what is counted as whose fault, and what becomes of bad input."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from project import LABELS, NAME, context, curate, jsonl, rows_of, sentences

from lifecycle.diagnose.measured import MISTAKEN, Scripted, project, report
from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import EndpointError, MissingInputError
from tailtune.core.records import Row
from tailtune.core.reports import DiagnoseReport
from tailtune.lifecycle import diagnose, language_models
from tailtune.lifecycle.diagnose import _lines


def run(paths: Paths, model: Scripted, monkeypatch: pytest.MonkeyPatch) -> DiagnoseReport:
    """The stage, its models opened as a scripted one."""
    opened: list[str] = []

    def open_model(spec: LanguageModelSpec, *_: object) -> Scripted:
        opened.append(spec.name)
        return model

    monkeypatch.setattr(language_models, "open_model", open_model)
    return perform("diagnose", context(paths))


def reasons(found: DiagnoseReport) -> dict[str, int]:
    return {one.reason: one.rows for one in found.classes}


def failures(paths: Paths) -> list[dict[str, object]]:
    return jsonl(paths.case(NAME).stage("diagnose") / "failures.jsonl")


def test_failing_rows_alone_are_asked_again_with_the_same_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, failed = project(tmp_path / "p")
    strong = Scripted({text: row.label for text, row in failed.items()})
    found = run(paths, strong, monkeypatch)
    assert len(failed) > 10
    assert len(strong.requests) == len(failed)
    assert all(len(one.messages[-1].content.splitlines()) == 6 + 3 for one in strong.requests), "six examples each"
    assert (found.rung, found.strong_model, found.rows) == ("lm_few_shot", "big", len(rows_of(paths, "dev")))
    assert found.failures == len(failed) == sum(one.rows for one in found.classes)
    assert reasons(found)["model too weak"] == found.classes[0].rows
    assert found.unmeasured == ()
    lines = failures(paths)
    assert {line["id"] for line in lines} == {row.id for row in failed.values()}
    assert Counter(line["reason"] for line in lines) == reasons(found)


def test_two_labels_that_both_models_mix_up_are_ambiguous_instructions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, failed = project(tmp_path / "p", witness=False)
    found = run(paths, Scripted({text: MISTAKEN[row.label] for text, row in failed.items()}), monkeypatch)
    assert reasons(found) == {"ambiguous instructions": len(failed)}
    top = found.mixed_up[0]
    assert (top.first, top.second) == ("card_lost", "card_stolen")
    assert top.rows == sum(row.label in ("card_lost", "card_stolen") for row in failed.values())
    action = found.classes[0].action
    for label in ("card_lost", "card_stolen"):
        line = list(LABELS).index(label) + 1
        assert f"models/{NAME}/labels.yaml:{line}" in action
    assert "few_shot.md" in action
    assert "no local rung that learns" in found.unmeasured[0]


def test_lines_are_counted_as_editors_do() -> None:
    text = '{\n  "a": {"description": "one\u2028two\x85three"},\n  "b": {}\n}'
    assert _lines(text, {"a", "b", "c"}) == {"a": 2, "b": 3}


def test_labels_that_are_wrong_on_purpose_are_suspect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One row in eight of the toy project is labelled at random: models that know better are not called weak."""
    truth = {row.text: true for row, true in _truth()}
    dev_of = {row.text: row.label for row, _ in _truth() if row.split == "dev"}
    paths, failed = project(tmp_path / "p", answered_by={text: truth[text] for text in dev_of})
    found = run(paths, Scripted(truth), monkeypatch)
    assert len(failed) >= 5
    assert all(truth[text] != row.label for text, row in failed.items())
    suspect = reasons(found)["label suspect"]
    assert suspect / len(failed) > 0.7, reasons(found)
    assert found.classes[0].fault == "label"
    assert found.classes[0].examples[0].origin.startswith("rows.jsonl:")


def _truth() -> list[tuple[Row, str]]:
    """Every row with the label it was made with: its id is the digest of that and the text."""

    def made(label: str, row: Row) -> bool:
        return hashlib.sha256(f"{label}\x1f{row.text}".encode()).hexdigest()[:16] == row.id

    return [(row, next(label for label in LABELS if made(label, row))) for row in sentences()]


def test_without_examples_nobody_speaks_of_retrieval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, failed = project(tmp_path / "p", choice="none", witness=False)
    found = run(paths, Scripted(dict.fromkeys(failed, "refund")), monkeypatch)
    assert reasons(found) == {"no example": len(failed)}


def test_retrieval_that_missed_is_told_apart_from_retrieval_that_did_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every embedding is alike here, so that all prompts show the same six first rows."""
    from tailtune.predictors import encoder

    class Blind:
        @classmethod
        def load(cls, path: object = None) -> Blind:
            return cls()

        def embed(self, texts: list[str]) -> object:
            import numpy as np

            return np.ones((len(texts), 384), dtype=np.float32)

    monkeypatch.setattr(encoder, "Encoder", Blind)
    paths, failed = project(tmp_path / "p", choice="nearest", witness=False)
    shown = {row.label for row in rows_of(paths, "train")[:6]}
    found = run(paths, Scripted(dict.fromkeys(failed, "refund")), monkeypatch)
    missed = sum(row.label not in shown for row in failed.values())
    assert 0 < missed < len(failed)
    assert reasons(found) == {"retrieval missed": missed, "unexplained": len(failed) - missed}


def test_unusable_answers_are_neither_errors_nor_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev = [row for row in sentences() if row.split == "dev"]
    paths, failed = project(tmp_path / "p", witness=False, answered_by=dict.fromkeys((row.text for row in dev), None))
    found = run(paths, Scripted(dict.fromkeys(failed, "nonsense")), monkeypatch)
    assert len(failed) == len(dev)
    assert reasons(found) == {"answer not usable": len(dev)}
    assert found.mixed_up == ()


def test_a_prompt_that_is_no_file_yet_is_named_with_what_writes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev = [row for row in sentences() if row.split == "dev"]
    remedies = []
    for own in (True, False):
        answered = dict.fromkeys((row.text for row in dev), None)
        paths, failed = project(tmp_path / str(own), witness=False, answered_by=answered)
        monkeypatch.setattr("tailtune.lifecycle.diagnose.has_own_prompts", lambda _, own=own: own)
        remedies.append(run(paths, Scripted(dict.fromkeys(failed, "nonsense")), monkeypatch).classes[0].action)
    where = f"models/{NAME}/prompts/few_shot.md"
    assert f"in {where};" in remedies[0]
    assert f"in {where} (tailtune prompts {NAME} writes it);" in remedies[1]


def test_money_that_ends_leaves_the_rest_unexplained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, failed = project(tmp_path / "p", witness=False)
    found = run(paths, Scripted({text: row.label for text, row in failed.items()}, budget=4), monkeypatch)
    assert reasons(found) == {"not asked again": len(failed) - 4, "model too weak": 4}
    assert found.classes[0].fault == "unexplained"
    assert f"{len(failed) - 4} of {len(failed)} failures" in found.unmeasured[-1]
    assert "prompt.max_cost_usd" in found.unmeasured[-1]


def test_without_a_stronger_model_nobody_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, failed = project(tmp_path / "p", strong=False)
    model = Scripted({})
    found = run(paths, model, monkeypatch)
    assert model.requests == []
    assert (found.strong_model, found.failures) == (None, len(failed))
    assert "model" not in {one.fault for one in found.classes}
    assert found.unmeasured == (diagnose.NO_STRONG,)


def test_a_prompt_that_is_always_right_has_nothing_to_diagnose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dev = [row for row in sentences() if row.split == "dev"]
    paths, failed = project(tmp_path / "p", answered_by={row.text: row.label for row in dev})
    model = Scripted({})
    found = run(paths, model, monkeypatch)
    assert (failed, model.requests, failures(paths)) == ({}, [], [])
    assert (found.rung, found.rows, found.failures, found.classes) == ("lm_few_shot", len(dev), 0, ())


def test_without_a_measured_prompt_it_says_so(tmp_path: Path) -> None:
    paths, _ = project(tmp_path / "p")
    report(paths, None)
    found = perform("diagnose", context(paths))
    assert (found.rung, found.failures, found.unmeasured) == (None, 0, (diagnose.NO_PROMPT,))
    assert failures(paths) == []
    assert (paths.case(NAME).stage("diagnose") / "rows.json").is_file()


def test_it_loads_nothing_heavy_when_there_is_nothing_to_do() -> None:
    code = (
        "import sys, tailtune.lifecycle.diagnose\n"
        "print([name for name in ('torch', 'openai', 'cleanlab', 'sklearn') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_stage_that_has_not_run_is_named(tmp_path: Path) -> None:
    paths, _ = project(tmp_path / "p")
    (paths.case(NAME).stage("prompt") / "answers.jsonl").unlink()
    with pytest.raises(MissingInputError, match=r"answers\.jsonl") as missing:
        perform("diagnose", context(paths))
    assert missing.value.hint == f"tailtune prompt {NAME}"
    paths.case(NAME).report("prompt").unlink()
    with pytest.raises(MissingInputError, match="no report of prompt"):
        perform("diagnose", context(paths))


def test_answers_of_other_rows_are_refused(tmp_path: Path) -> None:
    paths, _ = project(tmp_path / "p")
    rows = sentences()
    curate(paths, [row for row in rows if row.split != "dev"] + [row for row in rows if row.split == "dev"][3:])
    with pytest.raises(MissingInputError, match="made from other rows"):
        perform("diagnose", context(paths))
    report(paths, "lm_few_shot", 10)  # the report is of these rows, the answers are not
    with pytest.raises(MissingInputError, match=r"3 answers to rows that are not in dev, first rows\.jsonl:\d+"):
        perform("diagnose", context(paths))


def test_a_dead_endpoint_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, _ = project(tmp_path / "p", witness=False)
    with pytest.raises(EndpointError, match="nobody answers"):
        run(paths, Scripted({}, fails=True), monkeypatch)
