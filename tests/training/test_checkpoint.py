from pathlib import Path

import pytest
import torch

from tailtune.core.errors import TrainingError
from tailtune.training import checkpoint
from tailtune.training.checkpoint import Position
from tailtune.training.objective import EpochStats

STATS = EpochStats(epoch=1, train_loss=0.5, dev_loss=0.4, dev_quality=0.9, dev_error=0.01, rows_s=300.0, seconds=12.0)


def at(step: int, digest: str = "d") -> Position:
    return Position(digest, epoch=1, batch=step, step=step, history=(STATS,))


def test_a_checkpoint_comes_back_as_written_and_replaces_the_older(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, at(1), {"w": torch.zeros(3)})
    checkpoint.save(tmp_path, at(2), {"w": torch.ones(3), "random": torch.get_rng_state()})
    found = checkpoint.load(tmp_path, "d")
    assert found is not None
    position, tensors = found
    assert position == at(2)
    assert tensors["w"].tolist() == [1, 1, 1] and tensors["random"].dtype == torch.uint8
    assert len(list(tmp_path.iterdir())) == 1
    assert not [path for path in tmp_path.rglob("*") if path.suffix not in ("", ".json", ".safetensors")]


def test_nothing_and_another_jobs_checkpoint_are_nothing(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path / "absent", "d") is None
    checkpoint.save(tmp_path, at(1, digest="other"), {"w": torch.zeros(1)})
    assert checkpoint.load(tmp_path, "d") is None


def test_a_kill_while_writing_leaves_the_last_good_one(tmp_path: Path) -> None:
    good = checkpoint.save(tmp_path, at(1), {"w": torch.zeros(3)})
    torn = tmp_path / good.name.replace("00000001", "00000002").__add__(".partial")
    torn.mkdir()
    (torn / "tensors.safetensors").write_bytes(b"half")
    found = checkpoint.load(tmp_path, "d")
    assert found is not None and found[0].step == 1


def test_a_damaged_checkpoint_is_passed_over_for_an_older(tmp_path: Path) -> None:
    good = checkpoint.save(tmp_path / "a", at(1), {"w": torch.zeros(3)})
    damaged = checkpoint.save(tmp_path / "b", at(2), {"w": torch.ones(300)})
    tensors = damaged / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-100])
    damaged.rename(tmp_path / "a" / damaged.name)
    assert good.exists()
    found = checkpoint.load(tmp_path / "a", "d")
    assert found is not None and found[0].step == 1


def test_a_folder_that_cannot_be_written_is_said_with_its_place(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(TrainingError, match=r"file: a checkpoint could not be written[\s\S]*df -h"):
        checkpoint.save(blocked, at(1), {"w": torch.zeros(1)})


def test_clear_removes_whole_and_partial(tmp_path: Path) -> None:
    checkpoint.save(tmp_path, at(1), {"w": torch.zeros(1)})
    (tmp_path / "step-00000009.partial").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    checkpoint.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
