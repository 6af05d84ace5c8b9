"""What curated rows must satisfy, generated from the spec: plain values, no library."""

from __future__ import annotations

from collections.abc import Iterator

from tailtune.tasks.base import Expectation, expect_column
from tailtune.tasks.use_case import UseCase

# Table → its grain, for people; a task adds its own.
TABLES: dict[str, str] = {
    "rows": "One per curated row of any split.",
    "measured": "One per curated row, without the rows of a given test file.",
    "splits": "One per split.",
    "curation": "One for the whole curation.",
}


def expectations(case: UseCase) -> tuple[Expectation, ...]:
    """The suite of a use case, in the order in which people read it."""
    own = case.task.expectations()
    return (*_shape(case), *_content(case), *_leakage(case), *_amounts(case), *own)


def _shape(case: UseCase) -> Iterator[Expectation]:
    columns = ["group", "id", "label", "origin", "split", "text"]
    yield Expectation(
        "rows",
        "expect_table_columns_to_match_set",
        "columns",
        f"A curated row has {', '.join(columns)} and what the leakage gate found.",
        {"column_set": [*columns, *LEAKS], "exact_match": True},
    )
    least = case.spec.validate_.min_rows
    yield Expectation(
        "rows",
        "expect_table_row_count_to_be_between",
        "rows",
        f"There are at least {least:,} curated rows.",
        {"min_value": least},
    )
    for name in ("id", "text", "label", "origin"):
        yield expect_column("rows", "expect_column_values_to_not_be_null", name, f"Every row has {_a(name)}.")
    for name in ("text", "label"):
        yield expect_column(
            "rows", "expect_column_values_to_be_of_type", name, f"Every {name} is a string.", type_="str"
        )
    yield expect_column("rows", "expect_column_values_to_be_unique", "id", "No two rows have the same id.")


def _content(case: UseCase) -> Iterator[Expectation]:
    shortest, longest = case.spec.curate.min_chars, case.spec.curate.max_chars
    given = "" if case.spec.data.test_file is None else ", rows of the given test file aside"
    yield expect_column(
        "measured",
        "expect_column_value_lengths_to_be_between",
        "text",
        f"Every text has {shortest} to {longest:,} characters{given}.",
        min_value=shortest,
        max_value=longest,
    )


# Column the leakage gate writes → what an empty one means.
LEAKS: dict[str, str] = {
    "same_text_in_other_split": "No text of dev or test stands in an earlier split.",
    "near_text_in_other_split": "No text of dev or test nearly stands in an earlier split.",
    "group_in_other_split": "The rows of a group are all in one split.",
}


def _leakage(case: UseCase) -> Iterator[Expectation]:
    for name, meaning in LEAKS.items():
        yield expect_column("rows", "expect_column_values_to_be_null", name, meaning)
    if case.spec.data.test_file is not None:
        share = case.spec.validate_.max_leak_share
        yield expect_column(
            "curation",
            "expect_column_values_to_be_between",
            "leaked_test_share",
            f"At most {share:.1%} of the given test rows (nearly) stood in the training file too.",
            max_value=share,
        )


def _amounts(case: UseCase) -> Iterator[Expectation]:
    spec = case.spec.validate_
    yield expect_column(
        "splits", "expect_column_values_to_be_between", "rows", "Train, dev and test have rows.", min_value=1
    )
    yield expect_column(
        "curation",
        "expect_column_values_to_be_between",
        "dropped_share",
        f"Curation dropped at most {spec.max_dropped_share:.0%} of the rows.",
        max_value=spec.max_dropped_share,
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
