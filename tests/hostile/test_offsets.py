"""Span offsets that count UTF-16 code units: converted, or the row is dropped; never another value in silence."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.errors import DataError
from tailtune.core.records import Span
from tailtune.predictors.prepare.clean import clean
from tailtune.services.sources import RawRow
from tailtune.tasks.declare import NewUseCase
from tailtune.tasks.extraction.annotate import UTF16, RawLabel, prepare_row
from tailtune.tasks.extraction.new import declare
from tailtune.tasks.extraction.offsets import NOTES, file_unit, resolve
from tailtune.tasks.extraction.schema_reader import schema_from
from tailtune.tasks.extraction.values import propose_schema
from tailtune.tasks.extraction.values.checks import joined

SCHEMA = schema_from(propose_schema([("by Ann Lee", (Span(3, 10, "name"),), None, None)]) | {"title": "t"})
PIECES = (
    "Ann",
    "Bo 12",
    "🔥",
    "👩‍👩‍👧",
    "🇫🇷",
    "e\u0301te\u0301",
    "𝒜𝒷",
    "𠮷野",
    "日本",
    "638",
    "Zoë",
    "👍🏽",
    "x",
    "क्षि",
)


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def row(words: Sequence[str], at: int, unit: str, fields: bool = False, number: int = 0) -> RawRow[RawLabel]:
    text = " ".join(words)
    before = len(" ".join(words[:at])) + bool(at)
    start, end = before, before + len(words[at])
    if unit == "utf16":
        start, end = utf16(text[:start]), utf16(text[:end])
    values = {"name": words[at]} if fields else None
    return RawRow(text, RawLabel((Span(start, end, "name"),), values), f"r.jsonl:{number}")


def surfaces(rows: Sequence[RawRow[RawLabel]]) -> list[str | None]:
    """The text that each row's span covers after preparation; None for a dropped row."""
    made = [prepare_row(SCHEMA, raw, (), ()) for raw in resolve(lambda: iter(rows))]
    assert all(kept.detail for kept in made if kept.reason)
    return [None if kept.reason else kept.label.spans[0].of(kept.text) for kept in made]


CLEAR = [row(["🔥", "Ann", "called"], 1, "utf16"), row(["💥🚗", "Porto", "now"], 1, "utf16")]


def test_a_file_in_utf16_is_converted_and_says_so() -> None:
    rows = [*CLEAR, row(["plain", "Ann"], 1, "utf16")]
    assert file_unit(rows) == "utf16"
    assert surfaces(rows) == ["Ann", "Porto", "Ann"]
    changes = [prepare_row(SCHEMA, raw, (), ()).changes for raw in resolve(lambda: iter(rows))]
    assert changes == [(UTF16,), (UTF16,), ()]


def test_a_row_that_fits_either_way_follows_its_file() -> None:
    either = row(["🔥🔥", "1", "2", "3"], 1, "utf16")  # as characters it covers the 2
    assert surfaces([either]) == ["2"]
    assert surfaces([*CLEAR, either])[-1] == "1"


def test_a_row_that_contradicts_its_file_is_dropped_with_both_readings() -> None:
    stray = row(["🔥", "Ann", "called"], 1, "characters")
    rows = [*CLEAR * 10, stray]
    *_, last = (prepare_row(SCHEMA, raw, (), ()) for raw in resolve(lambda: iter(rows)))
    assert last.reason == "span_utf16" and "“Ann”" in last.detail and "count characters" in last.detail
    assert surfaces([stray] * 20 + CLEAR[:1]) == ["Ann"] * 20 + [None]


def test_a_mixed_file_keeps_only_what_is_certain() -> None:
    either = row(["🔥🔥", "1", "2", "3"], 1, "utf16")
    assert surfaces([*CLEAR, row(["🔥", "Ann", "called"], 1, "characters"), either]) == ["Ann", "Porto", "Ann", None]


@pytest.mark.parametrize("unit", ["characters", "utf16"])
def test_values_beside_the_spans_decide_where_words_have_no_edges(unit: str) -> None:
    text = "🔥東京都の山田です"
    at = text.index("山田")
    start, end = (at, at + 2) if unit == "characters" else (at + 1, at + 3)
    raw = RawRow(text, RawLabel((Span(start, end, "name"),), {"name": "山田"}), "r.jsonl:1")
    assert surfaces([raw]) == ["山田"]


JAPANESE = ("{}東京都の[山田]です", "{}昨日[大阪]で会いました", "承知しました{}[佐藤]様へ", "{}明日[名古屋]まで")
CHINESE = ("{}我叫[王小明]住在这里", "请联系{}[李华]谢谢", "{}他说[张伟]投诉了", "昨天{}和[刘洋]见面")
THAI = ("{}ผมชื่อ[มาลี]ครับ", "ติดต่อ{}[สมชาย]ที่บ้าน", "{}คุณ[สุดา]โทรมา", "ส่งให้{}[ปรีชา]แล้ว")


def in_running_text(pattern: str, emoji: str, unit: str) -> RawRow[RawLabel]:
    """A row whose one span is what stands in brackets."""
    before, value, after = re.split(r"[\[\]]", pattern.replace("{}", emoji))
    measure = utf16 if unit == "utf16" else len
    span = Span(measure(before), measure(before + value), "name")
    return RawRow(before + value + after, RawLabel((span,)), "r.jsonl:1")


@pytest.mark.parametrize("unit", ["characters", "utf16"])
@pytest.mark.parametrize("emoji", ["🔥", "😀😀", "👍🏽", "👩‍👩‍👧"])
@pytest.mark.parametrize("patterns", [JAPANESE, CHINESE, THAI])
def test_where_words_have_no_edges_rows_without_emoji_show_the_unit(
    patterns: Sequence[str], emoji: str, unit: str
) -> None:
    rows = [in_running_text(pattern, sign, unit) for pattern in patterns for sign in ("", emoji)]
    values = [re.split(r"[\[\]]", pattern)[1] for pattern in patterns for _ in range(2)]
    assert surfaces(rows) == values


def test_a_broken_row_of_plain_letters_says_nothing_about_the_unit() -> None:
    name = RawLabel((Span(3, 5, "name"),))
    rows = [RawRow("😀私は田中です元気", name, f"r.jsonl:{number}") for number in range(5)]
    broken = RawRow("plain letters", RawLabel((Span(3, 99, "name"),)), "r.jsonl:6")
    for some in (rows, [*rows, broken], [broken, *rows]):
        kept = [row for row in resolve(lambda some=some: iter(some)) if row is not broken]  # type: ignore[misc]
        assert [row.label.unit for row in kept] == ["unclear"] * 5  # dropped, not cut as UTF-16 would have it
    assert file_unit([broken]) == "characters"


def test_an_intent_that_its_own_column_contradicts_is_dropped() -> None:
    schema = schema_from({"title": "t", **propose_schema([("by Ann", (), {"intent": word}, None) for word in "ab"])})
    for intent, reason in (("a", ""), (None, ""), ("b", "bad_value")):
        raw = RawRow("by Ann", RawLabel(values={} if intent is None else {"intent": intent}, intent="a"), "r.jsonl:1")
        made = prepare_row(schema, raw, (), ())
        assert made.reason == reason
        assert not reason or made.detail == "intent: the column says str 'a', the fields say str 'b'"


def test_an_emoji_that_is_a_value_stays() -> None:
    flag = row(["Ann", "Ann", "👩‍👩‍👧", "Bo 12", "🇫🇷"], 4, "characters")
    assert surfaces([*[row(["🔥", "Ann", "called"], 1, "characters")] * 20, flag])[-1] == "🇫🇷"


@pytest.mark.parametrize(("unit", "pattern"), [("characters", "{}[山田]です"), ("utf16", "こちら{}{}[山田]")])
def test_an_offset_that_only_one_unit_has_shows_it(unit: str, pattern: str) -> None:
    rows = [in_running_text(text, "🔥", unit) for text in (pattern, JAPANESE[0])]
    assert surfaces(rows) == ["山田", "山田"]


@pytest.mark.parametrize("unit", ["characters", "utf16"])
def test_what_nothing_tells_is_dropped_and_not_cut_wrong(unit: str) -> None:
    rows = [in_running_text(CHINESE[0], "🔥🔥", unit)]
    assert (file_unit(rows), surfaces(rows)) == ("unclear", [None])
    assert "values of the fields beside the spans would show it" in NOTES["unclear"]


@pytest.mark.parametrize(
    ("entities", "why"),
    [([{"start": 4, "end": 6, "label": "name"}], NOTES["unclear"]), ([], "no row has a span, a field value")],
)
def test_a_file_of_which_nothing_can_be_used_is_refused_with_the_reason(
    tmp_path: Path, entities: list[object], why: str
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(json.dumps({"text": "🔥我叫李华住在这里", "entities": entities}), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        declare(NewUseCase(name="x", source=source))
    assert f"no field can be proposed: {why}" in str(caught.value.faults[0])


@pytest.mark.parametrize(
    ("text", "at", "within"),
    [
        ("e\u0301te", 1, True), ("e\u0301te", 2, True), ("a b", 1, False), ("มาลี", 4, False), ("มาลี", 3, True),
        ("👍🏽a", 1, True), ("👍🏽a", 2, False), ("👩\u200d👧", 1, True), ("👩\u200d👧", 2, True),
        ("❤\ufe0fAnn", 2, False),
    ],
)  # fmt: skip
def test_marks_belong_to_the_character_before_them(text: str, at: int, within: bool) -> None:
    assert joined(text, at) == within


@given(st.lists(st.tuples(st.lists(st.sampled_from(PIECES), min_size=2, max_size=7), st.integers(0, 6)), max_size=9))
def test_right_characters_stay_as_they_are(made: list[tuple[list[str], int]]) -> None:
    rows = [row(words, at % len(words), "characters") for words, at in made]
    sure = [row(["🔥", "Ann", "called"], 1, "characters")] * 20
    kept = surfaces([*sure, *rows])[len(sure) :]
    for (words, at), surface in zip(made, kept, strict=True):
        assert surface == clean(words[at % len(words)])[0]


@given(st.lists(st.tuples(st.lists(st.sampled_from(PIECES), min_size=2, max_size=7), st.integers(0, 6)), max_size=9))
def test_utf16_comes_out_as_the_same_values_or_dropped(made: list[tuple[list[str], int]]) -> None:
    rows = [row(words, at % len(words), "utf16") for words, at in made]
    kept = surfaces([*CLEAR * 10, *rows])[len(CLEAR) * 10 :]
    for (words, at), surface in zip(made, kept, strict=True):
        assert surface in (None, clean(words[at % len(words)])[0])


@given(st.text(max_size=20), st.lists(st.tuples(st.integers(-3, 45), st.integers(-3, 45)), max_size=3))
def test_any_offsets_end_in_a_row_or_a_reason(text: str, places: list[tuple[int, int]]) -> None:
    label = RawLabel(tuple(Span(start, end, "name") for start, end in places))
    surfaces_of = [
        prepare_row(SCHEMA, raw, (), ()) for raw in resolve(lambda: iter([*CLEAR, RawRow(text, label, "r:1")]))
    ]
    assert len(surfaces_of) == len(CLEAR) + 1
