"""Every stage has a category, and a sum with an unknown part is unknown."""

import pytest

from tailtune.core.ledger import CATEGORIES, PURPOSES, STAGE_CATEGORIES, Category, Facts, Line
from tailtune.lifecycle.table import STAGES


def test_every_stage_has_a_category() -> None:
    assert {stage.name for stage in STAGES} <= set(STAGE_CATEGORIES)
    assert set(STAGE_CATEGORIES.values()) <= set(CATEGORIES)


def test_what_may_be_added_is_every_category_and_a_complaint() -> None:
    assert set(PURPOSES) == {*Category.__args__, "complaint"}  # type: ignore[attr-defined]


def test_a_line_with_an_unknown_entry_has_no_sum() -> None:
    assert Line(known_usd=3.0).usd == 3.0
    assert Line(known_usd=3.0, unknown=1).usd is None


@pytest.mark.parametrize("known", [{"complaints_ms": (1,)}, {"stages": ("curate",)}])
def test_a_moment_is_something_and_the_name_of_a_stage_is_not(known: dict[str, object]) -> None:
    assert Facts.model_validate(known).empty is ("stages" in known)
