"""Which rows fail an expectation: the first few by origin.

Great Expectations can list them itself, but lists all of them first: half a minute for a million bad rows. It
decides what passes and counts what does not; here only the names of the first are looked up, and a test holds
both counts together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tailtune.tasks.base import Expectation

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 10


def _outside(values: pd.Series, limits: Mapping[str, Any]) -> pd.Series:
    least, most = limits.get("min_value"), limits.get("max_value")
    below = values.lt(least) if least is not None else values.isna()
    return below | values.gt(most) if most is not None else below


_BAD: dict[str, Callable[[pd.Series, Mapping[str, Any]], pd.Series]] = {
    "expect_column_values_to_not_be_null": lambda values, _: values.isna(),
    "expect_column_values_to_be_null": lambda values, _: values.notna(),
    "expect_column_values_to_be_unique": lambda values, _: values.notna() & values.duplicated(keep=False),
    "expect_column_values_to_be_in_set": lambda values, given: values.notna() & ~values.isin(given["value_set"]),
    "expect_column_values_to_be_between": _outside,
    "expect_column_value_lengths_to_be_between": lambda values, given: _outside(values.str.len(), given),
}


def offenders(expected: Expectation, table: pd.DataFrame) -> pd.Series:
    """Origins of all rows that fail an expectation about the rows of a column; empty for one about a table."""
    bad = _BAD.get(expected.kind)
    if bad is None:
        return table["origin"].head(0)
    return table.loc[bad(table[expected.arguments["column"]], expected.arguments), "origin"]
