"""Great Expectations' room: run the suite over the tables, and write Data Docs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tailtune.core.reports import ExpectationResult
from tailtune.lifecycle.validate.offenders import SHOWN, offenders
from tailtune.tasks.base import Expectation

if TYPE_CHECKING:
    import pandas as pd

_SPELT_OUT = 3  # lines of a table that are told in full, whether they fail or not


def check(
    name: str, suite: Sequence[Expectation], tables: Mapping[str, pd.DataFrame], docs: Path
) -> tuple[ExpectationResult, ...]:
    """Hold every expectation against its table.

    Args:
        name: How Data Docs name the suite.
        suite: What is expected.
        tables: What is there; each with a column `origin`.
        docs: Where Data Docs are written.

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
        held = library.ExpectationSuite(f"{name}-{table}")
        for place, expected in enumerate(suite):
            if expected.table == table:
                make = get_expectation_impl(expected.kind)
                held.add_expectation(make(**expected.arguments, notes=expected.meaning, meta={"place": place}))
        definition = library.ValidationDefinition(name=table, data=batch, suite=context.suites.add(held))
        answer = context.validation_definitions.add(definition).run(
            batch_parameters={"dataframe": tables[table]}, result_format=_FORMAT, run_id=run
        )
        for result in answer.results:
            place = result.expectation_config.meta["place"]
            results[place] = _result(suite[place], result, tables[table])
    context.build_data_docs()
    return tuple(results[place] for place in range(len(suite)))


_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": SHOWN}


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
        observed="; ".join(table["origin"]) if len(table) <= _SPELT_OUT else _observed(found, result),
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
