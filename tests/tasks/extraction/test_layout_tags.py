"""Spans to tags and back, over texts with emoji, accents and combining marks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tailtune.core.records import Span
from tailtune.tasks.extraction.layout import TagSet
from tailtune.tasks.extraction.windows import Windows

TAGS = TagSet(("name", "amount", "item"))
PARTS = ("Zoë", "Jose\u0301", "👍🏽", "❤\ufe0f", "2.500", "€", "O'Hara", "中文", "plain", "VIN", "-")


@st.composite
def annotated(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """Parts with blanks between them; some are under a span, and neighbours may share one."""
    text, spans = "", []
    for _ in range(draw(st.integers(0, 6))):
        parts = draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3))
        label = draw(st.sampled_from([None, *TAGS.names]))
        text += draw(st.sampled_from([" ", "  ", "\n"]))
        stretch = " ".join(parts)
        if label is not None:
            spans.append(Span(len(text), len(text) + len(stretch), label))
        text += stretch
    return text, spans


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(annotated())
def test_tags_say_exactly_the_spans(tiny_encoder: Path, given_: tuple[str, list[Span]]) -> None:
    text, spans = given_
    row = windows_of(tiny_encoder)([text])[0]
    tagged = TAGS.tag(row, spans)
    assert (tagged.widened, tagged.lost) == (0, 0)
    assert [span for span, _, _ in TAGS.spans(row, tagged.tags.tolist())] == spans


@pytest.mark.parametrize(
    ("span", "back", "widened", "lost"),
    [
        (Span(2, 7, "name"), (0, 7), 1, 0),  # begins inside "ab12cd3"
        (Span(0, 3, "name"), (0, 7), 1, 0),
        (Span(0, 9, "name"), (0, 11), 1, 0),  # ends inside "end"
        (Span(0, 7, "name"), (0, 7), 0, 0),
        (Span(7, 8, "name"), None, 0, 1),  # a blank
        (Span(0, 7, "stranger"), None, 0, 0),
    ],
)
def test_a_span_inside_a_word_takes_the_word_and_is_counted(
    tiny_encoder: Path, span: Span, back: tuple[int, int] | None, widened: int, lost: int
) -> None:
    row = windows_of(tiny_encoder)(["ab12cd3 end"])[0]
    tagged = TAGS.tag(row, [span])
    assert (tagged.widened, tagged.lost) == (widened, lost)
    found = [(one.start, one.end) for one, _, _ in TAGS.spans(row, tagged.tags.tolist())]
    assert found == ([] if back is None else [back])


def test_the_first_of_two_spans_in_one_word_wins(tiny_encoder: Path) -> None:
    row = windows_of(tiny_encoder)(["12usd now"])[0]
    tagged = TAGS.tag(row, [Span(0, 2, "amount"), Span(2, 5, "item")])
    assert tagged.tags.tolist() == [TAGS.begin("amount"), 0]
    assert (tagged.widened, tagged.lost) == (1, 1)


def test_neighbours_of_one_field_stay_two(tiny_encoder: Path) -> None:
    row = windows_of(tiny_encoder)(["Ann Bob"])[0]
    spans = [Span(0, 3, "name"), Span(4, 7, "name")]
    assert TAGS.tag(row, spans).tags.tolist() == [1, 1]
    assert TAGS.spans(row, [1, 1]) == [(spans[0], 0, 1), (spans[1], 1, 2)]


def test_an_inner_tag_that_continues_nothing_begins_a_span(tiny_encoder: Path) -> None:
    """As conlleval reads it; legal decoding never gives it."""
    row = windows_of(tiny_encoder)(["Ann paid 5"])[0]
    assert [span for span, _, _ in TAGS.spans(row, [2, 4, 0])] == [Span(0, 3, "name"), Span(4, 8, "amount")]


def test_a_set_without_fields_has_one_tag(tiny_encoder: Path) -> None:
    row = windows_of(tiny_encoder)(["Ann"])[0]
    assert TagSet(()).size == 1
    assert np.array_equal(TagSet(()).tag(row, [Span(0, 3, "name")]).tags, [0])


_made: dict[Path, Windows] = {}


def windows_of(encoder: Path) -> Windows:
    if encoder not in _made:
        _made[encoder] = Windows(encoder, 64)
    return _made[encoder]
