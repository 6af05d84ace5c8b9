"""What curated rows must satisfy: a suite generated from the spec, and checked by Great Expectations.

Only this module and `data_docs` know the library. It decides what passes and counts what does not; the first failing
rows are looked up here, because the library lists all of them first: half a minute for a million bad rows. A test
compares both counts.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.figures import share
from tailtune.core.reports import ExpectationResult
from tailtune.tasks.base import COUNTS, Expectation, expect_column
from tailtune.tasks.use_case import UseCase

if TYPE_CHECKING:
    import pandas as pd


SHOWN = 10  # origins of failing rows that are named
_SPELT_OUT = 3  # a table of so few counts is quoted in full, whether they fail or not
_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": SHOWN}

# Table → its grain, for people; a task adds its own.
TABLES: dict[str, str] = {
    "rows": "One per curated row of any split.",
    "measured": "One per curated row, without the rows of a given test file.",
    "splits": "One per split; rows whose label is empty, such as an object without a value, do not count.",
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
        most = case.spec.validate_.max_leak_share
        yield expect_column(
            "curation",
            "expect_column_values_to_be_between",
            "leaked_test_share",
            f"At most {share(most)} of the given test rows (nearly) stood in the training file too.",
            max_value=most,
        )


def _amounts(case: UseCase) -> Iterator[Expectation]:
    spec = case.spec.validate_
    yield expect_column(
        "splits",
        "expect_column_values_to_be_between",
        "rows",
        f"Train, dev and test have rows with {_a(case.task.noun)}; without one nothing can be measured.",
        min_value=1,
    )
    yield expect_column(
        "curation",
        "expect_column_values_to_be_between",
        "dropped_share",
        f"Curation dropped at most {share(spec.max_dropped_share)} of the rows.",
        max_value=spec.max_dropped_share,
    )


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def check(
    name: str, suite: Sequence[Expectation], tables: Mapping[str, pd.DataFrame], docs: Path
) -> tuple[ExpectationResult, ...]:
    """Check every expectation against its table.

    Args:
        name: How Data Docs name the suite.
        suite: What is expected.
        tables: Table → its rows; each with a column `origin`, or `counts`.
        docs: Where the library writes its pages of the Data Docs.

    Returns:
        One result per expectation, in the order of the suite.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pyparsing's sre_constants, on import
        import great_expectations as library
        from great_expectations.core.run_identifier import RunIdentifier
        from great_expectations.data_context.types.base import ProgressBarsConfig
        from great_expectations.expectations.registry import get_expectation_impl

    context = library.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in list(context.variables.data_docs_sites):
        context.delete_data_docs_site(site)
    context.add_data_docs_site(site_name="local", site_config=_site(docs))
    source = context.data_sources.add_pandas("curate")
    results: dict[int, ExpectationResult] = {}
    run = RunIdentifier(run_name="validate")
    for table in dict.fromkeys(expected.table for expected in suite):
        batch = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all")
        gx_suite = library.ExpectationSuite(f"{name}-{table}")
        for place, expected in enumerate(suite):
            if expected.table == table:
                make = get_expectation_impl(expected.kind)
                gx_suite.add_expectation(make(**expected.arguments, notes=expected.meaning, meta={"place": place}))
        definition = library.ValidationDefinition(name=table, data=batch, suite=context.suites.add(gx_suite))
        answer = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": tables[table]}, result_format=_FORMAT, run_id=run
        )
        for result in answer.results:
            place = result.expectation_config.meta["place"]
            results[place] = _result(suite[place], result, tables[table])
    context.build_data_docs()
    return tuple(results[place] for place in range(len(suite)))


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
    }


def _result(expected: Expectation, result: Any, table: pd.DataFrame) -> ExpectationResult:
    found: dict[str, Any] = dict(result.result or {})
    bad = int(found.get("unexpected_count") or 0)
    return ExpectationResult(
        name=expected.kind,
        subject=expected.subject,
        meaning=expected.meaning,
        passed=bool(result.success),
        observed="; ".join(table[COUNTS]) if COUNTS in table and len(table) <= _SPELT_OUT else _observed(found, result),
        bad_rows=bad,
        bad_origins=() if result.success else tuple(offenders(expected, table).head(SHOWN)),
    )


def _observed(found: Mapping[str, Any], result: Any) -> str:
    if "observed_value" in found:
        return str(found["observed_value"])
    if "element_count" in found:
        return f"{found.get('unexpected_count', 0):,} of {found['element_count']:,} do not"
    messages = [str(info.get("exception_message", "")) for info in _infos(result.exception_info)]
    return "; ".join(filter(None, messages))


def _infos(info: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(info, Mapping):
        if "exception_message" in info:
            yield info
        else:
            for inner in info.values():
                yield from _infos(inner)


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
    bad, place = _BAD.get(expected.kind), COUNTS if COUNTS in table else "origin"
    if bad is None:
        return table[place].head(0)
    return table.loc[bad(table[expected.arguments["column"]], expected.arguments), place]
