from __future__ import annotations

from tailtune.core.progress import Silent
from tailtune.core.records import Row, Split
from tailtune.lifecycle.curate import Dropped, Drops, Tidy, drop_exact, drop_near, form_digest
from tailtune.services.near_duplicates import normal

LONG = "my card payment was charged twice in the same shop yesterday"


def tidy(text: str, origin: str, label: str = "a", split: Split = "train") -> Tidy:
    return Tidy(Row(origin, text, label, origin, split), form_digest(normal(text)), ())


def origins(kept: list[Tidy]) -> list[str]:
    return [row.row.origin for row in kept]


def test_the_first_of_exact_repeats_is_kept_and_another_label_is_another_reason() -> None:
    drops = Drops()
    rows = [tidy("Paid twice", "r:1"), tidy("paid twice!", "r:2"), tidy("PAID TWICE", "r:3", "b"), tidy("x", "r:4")]
    assert origins(drop_exact([], iter(rows), drops)) == ["r:1", "r:4"]
    assert drops.rows == [
        Dropped("r:2", "duplicate", "of r:1", "a", ("r:1",)),
        Dropped("r:3", "duplicate_other_label", "of r:1 (labelled a)", "b", ("r:1",)),
    ]


def test_repeat_of_test_rows_is_dropped_and_names_them_all() -> None:
    drops = Drops()
    tests = [tidy("paid twice", "t:1", split="test"), tidy("Paid twice.", "t:2", "b", "test")]
    assert drop_exact(tests, [tidy("paid twice", "r:1"), tidy("paid twice", "r:2")], drops) == []
    assert [(row.reason, row.of) for row in drops.rows] == [("in_test_file", ("t:1", "t:2"))] * 2


def test_near_repeats_are_dropped_for_earlier_kept_rows_only() -> None:
    drops = Drops()
    rows = [
        tidy(LONG, "r:1"),
        tidy(LONG + " ok", "r:2", "b"),
        tidy(LONG + " ok, thank you", "r:3"),  # near r:2, which was dropped, and not near enough r:1
        tidy("something else entirely was asked here", "r:4"),
    ]
    assert origins(drop_near([], rows, 0.85, drops, Silent())) == ["r:1", "r:3", "r:4"]
    assert drops.rows == [Dropped("r:2", "near_duplicate", "of r:1 (labelled a)", "b", ("r:1",))]


def test_near_duplicate_of_a_test_row_comes_before_one_of_an_earlier_row() -> None:
    drops = Drops()
    tests = [tidy(LONG + " ok", "t:1", split="test"), tidy(LONG + " ok!", "t:2", split="test")]
    assert drop_near(tests, [tidy("another text of its own", "r:1"), tidy(LONG, "r:2")], 0.85, drops, Silent())
    assert [(row.origin, row.reason, set(row.of)) for row in drops.rows] == [("r:2", "near_test_file", {"t:1", "t:2"})]
