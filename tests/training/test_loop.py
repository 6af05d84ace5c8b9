from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tailtune.core.errors import TrainingError
from tailtune.training import checkpoint
from tailtune.training.loop import fit
from tailtune.training.objective import FitResult, Progress
from training.jobs import rows, toy_classes, toy_job


class Killed(BaseException):
    """What a kill looks like from within."""


def killed_at(step: int):
    text: list[Progress] = []

    def watch(progress: Progress) -> None:
        text.append(progress)
        if len(text) == step:
            raise Killed

    return watch


def ignore(progress: Progress) -> None:
    """Nobody watches."""


def weights(result: FitResult) -> torch.Tensor:
    """Adapter and heads in one row."""
    return torch.cat([tensor.detach().flatten() for tensor in (result.model.adapter, *result.objective.heads.values())])


def test_it_learns_and_reports(tiny_encoder: Path, tmp_path: Path) -> None:
    text: list[Progress] = []
    texts, labels = rows(192, seed=3)
    result = fit(
        toy_job(tiny_encoder, tmp_path, goal=toy_classes(texts=texts, labels=labels), epochs=4, patience=4), text.append
    )
    assert result.dev_quality >= 0.9
    assert result.dev_quality == result.history[result.best_epoch - 1].dev_quality
    assert result.history[-1].train_loss < result.history[0].train_loss
    assert [epoch.epoch for epoch in result.history] == [1, 2, 3, 4]
    assert result.stopped is None and result.resumed_at_step == 0
    assert 0.05 < result.objective.temperature < 20
    assert text[-1].rows_done == text[-1].rows_total == 4 * 192
    assert text[0].dev_quality is None and text[-1].dev_quality == result.history[-1].dev_quality


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path / "a", epochs=1)
    first = weights(fit(job, ignore))
    assert torch.allclose(first, weights(fit(replace(job, checkpoint_dir=tmp_path / "b"), ignore)), atol=1e-6)
    other = fit(replace(job, checkpoint_dir=tmp_path / "c", seed=18), ignore)
    assert not torch.allclose(first, weights(other), atol=1e-3)


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("step", [3, 10])
def test_killed_and_resumed_equals_uninterrupted(tiny_encoder: Path, tmp_path: Path, step: int, dropout: float) -> None:
    """A checkpoint after every step; the kill comes before the step's own, so that one step is done again."""
    whole = fit(toy_job(tiny_encoder, tmp_path / "whole", dropout=dropout), ignore)
    job = toy_job(tiny_encoder, tmp_path / "killed", dropout=dropout, checkpoint_s=0.0)
    with pytest.raises(Killed):
        fit(job, killed_at(step))
    resumed = fit(job, ignore)
    assert 0 < resumed.resumed_at_step < step
    assert torch.allclose(weights(whole), weights(resumed), atol=1e-6)
    assert resumed.best_epoch == whole.best_epoch
    losses = [[epoch.train_loss for epoch in result.history] for result in (whole, resumed)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_finished_run_is_not_trained_again(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path, epochs=1)
    first, lines = fit(job, ignore), []
    again = fit(job, lines.append)
    assert not lines and again.resumed_at_step == 6
    assert torch.equal(weights(first), weights(again))


def test_other_hyperparameters_do_not_resume(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path, epochs=1)
    fit(job, ignore)
    assert fit(replace(job, learning_rate=2e-3), ignore).resumed_at_step == 0


def test_the_kept_weights_are_that_epochs(tiny_encoder: Path, tmp_path: Path) -> None:
    """One that goes wrong in its second epoch gives the first epoch's weights."""
    job = toy_job(tiny_encoder, tmp_path / "a", epochs=2, warmup_share=0.0, checkpoint_s=0.0)
    with pytest.raises(Killed):
        fit(job, killed_at(8))  # six steps and a dev pass, then the second epoch
    found = checkpoint.load(job.checkpoint_dir, _digest(job))
    assert found is not None
    position, tensors = found
    assert position.epoch == 1
    spoilt = tensors | {"now.head.weight": -tensors["now.head.weight"], "now.head.bias": tensors["now.head.bias"] - 50}
    first = replace(position.history[0], dev_quality=1.0)
    checkpoint.save(job.checkpoint_dir, replace(position, batch=5, history=(first,)), spoilt)
    result = fit(job, ignore)
    assert result.best_epoch == 1 and len(result.history) == 2
    assert torch.equal(result.objective.heads["weight"].detach(), tensors["best.head.weight"])


def test_patience_ends_the_run(tiny_encoder: Path, tmp_path: Path) -> None:
    """With no learning at all, the first epoch stays the best."""
    job = toy_job(tiny_encoder, tmp_path, learning_rate=1e-12, head_learning_rate=1e-12, epochs=9, patience=2)
    result = fit(job, ignore)
    assert len(result.history) == 3
    assert result.stopped == "no better dev quality for 2 epochs"


def test_the_stop_rule_sees_seconds_and_its_reason_is_kept(tiny_encoder: Path, tmp_path: Path) -> None:
    seen: list[float] = []

    def stop(seconds: float) -> str | None:
        seen.append(seconds)
        return "spent $0.10 of $0.10" if len(seen) == 4 else None

    result = fit(toy_job(tiny_encoder, tmp_path, should_stop=stop), ignore)
    assert result.stopped == "spent $0.10 of $0.10"
    assert len(seen) == 4 and seen == sorted(seen) and seen[0] > 0
    assert len(result.history) == 1, "what was learned until then is scored and kept"


def test_a_run_whose_money_is_spent_learns_nothing_more_when_it_is_resumed(tiny_encoder: Path, tmp_path: Path) -> None:
    seen = []

    def stop(seconds: float) -> str | None:
        seen.append(seconds)
        return "spent" if len(seen) >= 4 else None

    first = fit(toy_job(tiny_encoder, tmp_path, should_stop=stop), ignore)
    again = fit(toy_job(tiny_encoder, tmp_path, should_stop=stop), ignore)
    assert again.history == first.history and again.stopped == first.stopped == "spent"
    assert again.resumed_at_step == 4


def test_a_loss_that_is_not_a_number_ends_with_what_to_do(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path, learning_rate=1e30, head_learning_rate=1e30)
    with pytest.raises(TrainingError, match=r"epoch 1: the train loss is .*[\s\S]*learning_rate"):
        fit(job, ignore)


def test_bad_rows_are_all_said_at_once(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path, goal=toy_classes(dev_texts=[], dev_labels=[3]))
    with pytest.raises(TrainingError, match=r"dev: no rows[\s\S]*0 texts but 1 labels[\s\S]*\[3\] are outside 0 to 2"):
        fit(job, ignore)


def test_checkpoints_fall_within_an_epoch(tiny_encoder: Path, tmp_path: Path) -> None:
    job = toy_job(tiny_encoder, tmp_path, checkpoint_s=0.0)
    with pytest.raises(Killed):
        fit(job, killed_at(4))
    found = checkpoint.load(tmp_path, _digest(job))
    assert found is not None and (found[0].epoch, found[0].batch) == (0, 3)


def _digest(job) -> str:
    from tailtune.training.checkpoint import job_digest

    return job_digest(job)
