from __future__ import annotations

from tailtune.core.records import Row, Span
from tailtune.tasks.extraction.annotations import Annotation
from tailtune.tasks.extraction.gate import GRAINS, tables
from tailtune.tasks.extraction.schema_reader import schema_from

SCHEMA = schema_from(
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "name": {"type": ["string", "null"], "maxLength": 5},
            "when": {"type": ["string", "null"], "format": "date"},
            "peril": {"enum": ["fire", None]},
        },
    }
)


def row(text: str, values: dict[str, object], *spans: Span, split: str = "train") -> Row:
    return Row(text, text, Annotation(values, spans), f"r:{text}", split)  # type: ignore[arg-type]


ROWS = [
    row("Ann here", {"name": "Ann", "peril": "fire"}, Span(0, 3, "name")),
    row("overlap", {"name": "over"}, Span(0, 4, "name"), Span(2, 6, "when"), Span(6, 7, "name")),
    row("short", {"name": "too long a name", "when": "2026-05-04"}, Span(3, 9, "when"), split="dev"),
    row("strange", {"colour": "red"}, Span(0, 0, "colour")),
]


def test_every_table_has_a_grain_and_names_its_lines() -> None:
    made = tables(SCHEMA, ROWS)
    assert made.grains == GRAINS
    assert set(made.frames) == set(GRAINS)
    assert all(("origin" in frame) + ("counts" in frame) == 1 for frame in made.frames.values())


def test_spans_are_measured_against_their_text() -> None:
    frame = tables(SCHEMA, ROWS).frames["spans"]
    found = (
        frame.drop(columns="origin").astype(object).where(frame.drop(columns="origin").notna(), None).values.tolist()
    )
    assert found == [
        ["name", 0, 5, 3, None],
        ["name", 0, 3, 4, None],
        ["when", 2, 1, 4, "name"],
        ["name", 6, 0, 1, None],
        ["when", 3, -4, 6, None],
        ["colour", 0, 7, 0, None],
    ]


def test_values_are_held_against_their_field() -> None:
    frame = tables(SCHEMA, ROWS).frames["values"]
    assert frame[frame["invalid"].notna()][["origin", "field", "invalid"]].values.tolist() == [
        ["r:short", "name", "too long a name"]
    ]
    assert "colour" in set(frame["field"]), "a strange field is found by the set, not here"


def test_fields_are_counted_on_train_and_values_without_a_place_on_all() -> None:
    frames = tables(SCHEMA, ROWS).frames
    assert dict(zip(frames["fields"]["field"], frames["fields"]["train_rows"], strict=True)) == {
        "name": 2,
        "when": 0,
        "peril": 1,
    }
    assert frames["alignment"]["unaligned_share"].tolist() == [1 / 4]
    assert frames["alignment"]["counts"].tolist() == ["1 of 4 values not found in their text"]


def test_no_rows_are_no_division() -> None:
    assert tables(SCHEMA, []).frames["alignment"]["unaligned_share"].tolist() == [0.0]
