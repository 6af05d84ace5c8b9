from collections.abc import Iterator

import pytest
import torch

from tailtune.predictors import bert


@pytest.fixture(autouse=True)
def spinning(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("speed", "expected"), [({2: 200.0, 1: 100.0}, 2), ({2: 20.0, 1: 100.0}, 1)])
def test_the_faster_number_stays_in_force(
    monkeypatch: pytest.MonkeyPatch, speed: dict[int, float], expected: int
) -> None:
    monkeypatch.setattr(bert, "_speed", lambda count, x, weight: speed[count])
    assert bert.settle_threads(2) == expected
    assert torch.get_num_threads() == expected


@pytest.mark.parametrize(("rows", "within"), [(10, 2), (1000, 1)])
def test_many_rows_settle_and_the_old_number_returns(monkeypatch: pytest.MonkeyPatch, rows: int, within: int) -> None:
    monkeypatch.setattr(bert, "_speed", lambda count, x, weight: {2: 20.0, 1: 100.0}[count])
    torch.set_num_threads(2)
    with pytest.raises(KeyError), bert.settled(rows):
        assert torch.get_num_threads() == within
        raise KeyError
    assert torch.get_num_threads() == 2


def test_measured_for_real_it_is_one_of_the_two() -> None:
    assert bert.settle_threads(2) in (1, 2)
    assert bert.settle_threads(1) == 1


def test_sleeping_threads_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(bert, "_speed", lambda count, x, weight: {2: 20.0, 1: 100.0}[count])
    assert bert.settle_threads(2) == 2
