"""Names beside marks: inside the frame, none over another or over a mark."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tailtune.report.html.charts.trade_off import Box, Mark, placed

FRAME = Box(44, 4, 398, 380)
MARKS = st.builds(
    Mark,
    x=st.floats(52, 384),
    y=st.floats(22, 370),
    radius=st.floats(3, 11),
    name=st.text("abcdefg ", min_size=3, max_size=24),
    bold=st.booleans(),
)


@given(st.lists(MARKS, max_size=14))
def test_no_name_covers_another_or_a_mark_or_leaves_the_frame(marks: list[Mark]) -> None:
    boxes = placed(marks, FRAME)
    assert len(boxes) == len(marks)
    there = [box for box in boxes if box is not None]
    for place, box in enumerate(there):
        assert box.inside(FRAME)
        assert not any(box.meets(mark.box) for mark in marks)
        assert not any(box.meets(other) for other in there[place + 1 :])


def test_a_lonely_name_stands_right_of_its_mark_and_left_of_it_at_the_edge() -> None:
    (right,) = placed([Mark(100, 200, 5, "probe")], FRAME)
    assert right is not None and 100 < right.left < 112 and right.top < 200 < right.bottom
    (left,) = placed([Mark(390, 200, 5, "probe")], FRAME)
    assert left is not None and 378 < left.right < 390


def test_a_dozen_marks_on_one_spot_all_get_their_names() -> None:
    assert None not in placed([Mark(200, 150, 6, f"rung number {n}") for n in range(12)], FRAME)


def test_what_had_better_not_be_covered_is_left_free_where_there_is_room() -> None:
    whisker = Box(106, 120, 140, 280)
    (box,) = placed([Mark(100, 200, 5, "probe")], FRAME, [whisker])
    assert box is not None and not box.meets(whisker)


def test_a_full_frame_leaves_a_name_out() -> None:
    assert placed([Mark(20, 20, 5, "far too long a name")], Box(0, 0, 40, 40)) == [None]
