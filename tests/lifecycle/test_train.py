"""The train stage: it refuses without the right ladder, obeys the ticket, and says what it spent and did."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from project import LABELS, NAME, Heard, Published, context, copy, curate, lived, make, respec, rows_of, run, untracked

from lifecycle.helpers import perform
from tailtune.config.paths import Paths
from tailtune.core.errors import GateError, StaleLadderError
from tailtune.core.reports import LadderReport, TrainReport
from tailtune.lifecycle.train import _EpochProgress, spending_stop
from tailtune.services import store
from tailtune.tasks import saved as registry
from tailtune.training.objective import Progress


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    return lived(tmp_path_factory)


@pytest.fixture
def mine(paths: Paths, tmp_path: Path) -> Paths:
    return copy(paths, tmp_path / "p")


def test_a_trained_model_answers_in_the_order_of_the_labels(paths: Paths) -> None:
    case = paths.case(NAME)
    report = store.read_report(case.report("train"), TrainReport, NAME)
    assert report.trained
    assert (report.train_rows, report.dev_rows, report.best_epoch, len(report.epochs)) == (240, 66, 1, 1)
    assert report.rows_digest == store.rows_digest(rows_of(paths, "train"), rows_of(paths, "dev"))
    model = registry.load(case.stage("train") / "model")
    assert model.labels == tuple(LABELS)
    train_rows = rows_of(paths, "train")[:60]
    with untracked():
        answers = model.answer([row.text for row in train_rows])
    right = [a.value == row.label for a, row in zip(answers, train_rows, strict=True)]
    assert sum(right) / len(right) > 0.6
    assert not [path for path in case.stage("train").rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".pickle")]


def test_the_adapter_and_head_are_what_is_counted_as_trainable(paths: Paths) -> None:
    from safetensors.numpy import load_file

    case = paths.case(NAME)
    report = store.read_report(case.report("train"), TrainReport, NAME)
    saved = sum(
        t.size for path in (case.stage("train") / "model").rglob("*.safetensors") for t in load_file(path).values()
    )
    assert report.trainable_parameters == saved > 0


def test_the_spec_reaches_the_artifact(paths: Paths) -> None:
    import json

    model = paths.case(NAME).stage("train") / "model"
    assert json.loads((model / "adapter" / "adapter_config.json").read_text())["r"] == 4
    assert json.loads((model / "tailtune.json").read_text())["max_tokens"] == 32
    assert set(registry.scrubbed(model)) == set(context(paths).case.spec.curate.scrub_pii) != set()


def test_checkpoints_are_forgotten_when_the_model_is_saved(paths: Paths) -> None:
    folder = paths.case(NAME).checkpoints
    assert not folder.exists() or not list(folder.iterdir())


def test_training_never_skips_the_baseline(tmp_path: Path) -> None:
    paths = make(tmp_path / "p")
    with pytest.raises(StaleLadderError, match=r"reports/toy/ladder\.json: no ladder result") as caught:
        perform("train", context(paths))
    assert isinstance(caught.value, GateError)
    assert (caught.value.exit_code, caught.value.hint) == (3, f"tailtune run {NAME}")
    assert not paths.case(NAME).stage("train").exists()


def test_a_ladder_of_other_rows_is_refused(mine: Paths) -> None:
    rows = [row for split in ("train", "dev", "test") for row in rows_of(mine, split)]
    wrong = next(label for label in LABELS if label != rows[0].label)
    curate(mine, [replace(rows[0], label=wrong), *rows[1:]])
    before = sorted(mine.case(NAME).stage("train").rglob("*"))
    with pytest.raises(StaleLadderError, match="the ladder was measured on other rows"):
        perform("train", context(mine))
    assert sorted(mine.case(NAME).stage("train").rglob("*")) == before, "a refusal must not remove the model"


def test_a_ladder_of_another_spec_is_refused(mine: Paths) -> None:
    respec(mine, {"ladder": {"shots": 4}})
    with pytest.raises(StaleLadderError, match="the ladder was measured on other spec"):
        perform("train", context(mine))


def test_test_rows_may_change_without_a_new_ladder(mine: Paths) -> None:
    respec(mine, {"targets": {"accuracy": 0.3}})
    rows = [row for split in ("train", "dev", "test") for row in rows_of(mine, split)]
    curate(mine, rows[:-1])
    run(mine, "decide")
    mine.case(NAME).rows("test").unlink()
    found = perform("train", context(mine))
    assert (found.trained, found.train_rows) == (False, 0)


def test_a_ladder_without_a_spec_digest_is_refused(mine: Paths) -> None:
    case = mine.case(NAME)
    ladder = store.read_report(case.report("ladder"), LadderReport, NAME)
    store.write_report(case.report("ladder"), ladder.model_copy(update={"spec_digest": ""}))
    with pytest.raises(StaleLadderError):
        perform("train", context(mine))


def test_spending_stops_at_the_limit_and_says_so() -> None:
    stop = spending_stop(0.5, 3600.0)
    assert stop is not None
    assert stop(0.499) is None
    assert stop(0.5) == "spent $0.5000 of train.max_cost_usd $0.5"


def test_without_a_price_nothing_can_be_said_to_be_spent() -> None:
    assert spending_stop(0.5, None) is None
    free = spending_stop(0.5, 0.0)
    assert free is not None
    assert free(1e9) is None


def shown(
    paths: Paths, epochs: int, accuracies: list[float], batches: int = 2, rows: int = 10
) -> tuple[Heard, Published]:
    """What a run shows in the terminal and in MLflow: per epoch, `batches` steps and one dev pass, as `fit` reports."""
    given = context(paths)
    show = _EpochProgress(given)

    def now(epoch: int, done: int, dev: float | None) -> Progress:
        return Progress(epoch, epochs, done, epochs * rows, 1.0, 1.0, 0.5, dev)

    dev: float | None = None
    for at, accuracy in enumerate(accuracies):
        for batch in range(batches):
            show(now(at + 1, at * rows + (batch + 1) * rows // batches, dev))
        dev = accuracy
        show(now(min(at + 2, epochs), (at + 1) * rows, dev))
    assert isinstance(given.progress, Heard)
    assert isinstance(given.tracker, Published)
    return given.progress, given.tracker


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize(("epochs", "accuracies"), [(1, [0.9]), (3, [0.7, 0.8, 0.9]), (5, [0.7, 0.6, 0.5])])
def test_each_epoch_is_reported_once_with_its_own_accuracy(
    paths: Paths, epochs: int, accuracies: list[float], batches: int
) -> None:
    heard, published = shown(paths, epochs, accuracies, batches)
    assert published.points == [("train", "accuracy", value, i + 1) for i, value in enumerate(accuracies)]
    assert [line.split(" on dev")[0] for line in heard.lines] == [
        f"epoch {i + 1}: {value * 100:.1f} %" for i, value in enumerate(accuracies)
    ]
    assert len(heard.states) == len(accuracies) * (batches + 1)
