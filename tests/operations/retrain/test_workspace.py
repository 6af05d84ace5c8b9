"""The checkout of a retrain: the rows that are pinned, right answers on top, and files that come back without git."""

from __future__ import annotations

import pytest
from cli.checkout import tree, write

from operations.retrain.conftest import context_of
from tailtune.config.paths import Paths
from tailtune.core.errors import UsageError
from tailtune.operations.retrain.workspace import Workspace
from tailtune.services import versions
from tailtune.services.corrections import Correction, write_corrections

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")
ANSWER = Correction("1", "pay me", "refund", "Ana", "2026-11-01T00:00:00+00:00")


def test_it_has_the_rows_of_the_pin_and_right_answers_and_the_checkout_stays(paths: Paths) -> None:
    write(paths.case("first").data / "rows.csv", [{"text": "half written", "label": "login"}])
    before = tree(paths.root)
    made = Workspace.make(context_of(paths), [ANSWER])
    assert "pay me" in made.paths.feedback.read_text()
    assert "half written" not in (made.paths.data / "rows.csv").read_text()
    assert versions.data_is_pinned(made.scratch.paths, "first")
    assert versions.data_hash(made.scratch.paths) != versions.data_hash(paths)
    there = {name: digest for name, digest in tree(paths.root).items() if not name.startswith(".run/")}
    assert {name: there[name] for name in before} == before


def test_without_git_what_changed_comes_back_as_files_with_the_right_answers(paths: Paths) -> None:
    made = Workspace.make(context_of(paths), [ANSWER])
    made.paths.reports.mkdir(parents=True)
    made.paths.report("register").write_text("{}")
    assert made.bring_back("Retrain", "2026-11-03") == (".run/retrain/first/changed/2026-11-03", None)
    folder = paths.case("first").retrain / "changed" / "2026-11-03"
    files = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert files == [
        "data.dvc",
        "data/first/feedback.jsonl",
        "models/first/labels.yaml",
        "reports/first/register.json",
    ]


def test_rows_that_were_never_pinned_are_no_beginning(paths: Paths) -> None:
    paths.data_dvc.unlink()
    with pytest.raises(UsageError, match="no rows are pinned"):
        Workspace.make(context_of(paths), [])


def test_an_accepted_class_is_a_label_there_though_its_declaration_is_not_committed(paths: Paths) -> None:
    case = paths.case("first")
    committed = (case.folder / "labels.yaml").read_text()
    (case.folder / "labels.yaml").write_text(committed + 'relay: "The new thing."\n')
    write_corrections(case.proposed, [Correction("1", "how do i start it", "relay", "Ana", "2026-11-01")])
    versions.pin_data(paths, "first")
    context = context_of(paths)
    (case.folder / "labels.yaml").write_text(committed)  # as a commit would have it
    made = Workspace.make(context, [])
    assert (made.paths.folder / "labels.yaml").read_text() == committed + 'relay: "The new thing."\n'
    assert made.bring_back("Retrain", "2026-11-03") == (".run/retrain/first/changed/2026-11-03", None)
    assert (case.retrain / "changed" / "2026-11-03" / "models" / "first" / "labels.yaml").is_file()
