"""How `tailtune reproduce` shows what agrees."""

from __future__ import annotations

import math

import pytest
from report import lives

from tailtune.cli.reproduce import _lines
from tailtune.lifecycle.reproduce import Agreement, Reproduction, compare


def test_a_metric_that_only_one_side_has_disagrees() -> None:
    recorded = lives.stay()["evaluate"]
    winner = next(each for each in recorded.candidates if each.name == recorded.winner)
    first, *others = winner.metrics
    lacking = winner.model_copy(update={"metrics": {name: winner.metrics[name] for name in others}})
    again = recorded.model_copy(
        update={"candidates": tuple(lacking if each is winner else each for each in recorded.candidates)}
    )
    for there, now in ((recorded, again), (again, recorded)):
        assert [each.metric for each in compare(there, now) if not each.agrees] == [first]
    assert all(each.exact for each in compare(recorded, recorded))


@pytest.mark.parametrize(
    ("recorded", "again", "agrees", "line"),
    [
        (0.9, 0.9, True, "      0.9000      0.9000     +0.0000  equal"),
        (0.9, 0.904, True, "      0.9000      0.9040     +0.0040  agrees"),
        (0.9, 0.91, False, "      0.9000      0.9100     +0.0100  DISAGREES"),
        (math.nan, math.nan, True, "         n/a         n/a         n/a  equal"),
        (math.nan, 0.9, False, "         n/a      0.9000         n/a  DISAGREES"),
    ],
)
def test_a_metric_agrees_within_half_a_point_and_where_nobody_could_measure_it(
    recorded: float, again: float, agrees: bool, line: str
) -> None:
    metric = Agreement(metric="recall/a long label", recorded=recorded, again=again)
    result = Reproduction(
        model="tickets", version="1", winner="probe", winner_again="probe", test_rows=10, metrics=(metric,),
        commit=None, data_from="data/", caveats=(), folder=None,
    )  # fmt: skip
    assert result.agrees is agrees
    assert list(_lines(result))[2] == f"recall/a long label{line}"
