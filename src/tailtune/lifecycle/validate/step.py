"""Check the curated rows against the generated suite and the leakage gate; no stage goes on when one fails."""

from __future__ import annotations

from tailtune.core.errors import GateError, SpecError
from tailtune.core.records import SPLITS, Row, Split
from tailtune.core.reports import ExpectationResult, ValidateReport
from tailtune.lifecycle import must_not_fail
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.validate import data_docs, tables
from tailtune.lifecycle.validate.expectations import TABLES, check, expectations
from tailtune.services import store


def run(context: Context) -> ValidateReport:
    """Validate the curated rows, write Data Docs, and `passed.json` when everything holds.

    Raises:
        SpecError: The spec and what an answer may be contradict each other.
        GateError: An expectation failed; it carries the report and names the offending rows.
        MissingInputError: Curation has not run.
    """
    case, docs = context.case, context.out / "docs"
    if contradictions := list(case.task.faults()):
        raise SpecError(contradictions, f"tailtune check {case.name}")
    splits = {split: context.inputs.rows(split) for split in SPLITS}
    rows = [row for split in SPLITS for row in splits[split]]
    suite = expectations(case)
    context.progress.at(0, 0, f"{len(suite)} expectations on {len(rows):,} rows")
    own = case.task.tables(rows)
    frames = tables.build(context, rows, own.frames)
    results = check(case.name, suite, frames, docs)
    index = data_docs.finish(docs, case.name, suite, results, TABLES | dict(own.grains))
    failed = [result for result in results if not result.passed]
    report = ValidateReport(
        use_case=case.name,
        stage="validate",
        rows_digest=context.inputs.rows_digest,
        rows_read=len(rows),
        passed=not failed,
        expectations=results,
        docs=context.shown(index),
    )
    if failed:
        raise GateError(_message(context, report, failed), _hint(context), report=report)
    _write_passed(context, report, splits)
    context.progress.say(f"all {len(results)} expectations hold on {len(rows):,} rows")
    return report


def _write_passed(context: Context, report: ValidateReport, splits: dict[Split, list[Row]]) -> None:
    # Nothing here changes unless the rows do: DVC leaves the stages after it alone when it stays the same.
    passed = {
        "rows_digest": report.rows_digest,
        "test_digest": store.rows_digest(splits["test"]),
        "rows": {split: len(rows) for split, rows in splits.items()},
        "expectations": len(report.expectations),
        **_floors(context),
    }
    store.write_json(context.out / "passed.json", passed)


def _floors(context: Context) -> dict[str, object]:
    """What predictors must be measured by besides, so that they are measured again when it changes; empty mostly."""
    targets = context.case.spec.targets
    names = {"recall": sorted(targets.recall), "f1": sorted(targets.f1)}
    found: dict[str, object] = {"measured_besides": names} if any(names.values()) else {}
    if targets.must_not_fail is not None:
        rows = must_not_fail.read(context.case, context.inputs.raw_file(targets.must_not_fail))
        found["must_not_fail"] = must_not_fail.as_json(rows)
    return found


def _message(context: Context, report: ValidateReport, failed: list[ExpectationResult]) -> str:
    lines = [f"{context.case.name}: {len(failed)} of {len(report.expectations)} expectations failed"]
    for result in failed:
        lines.append(f"  {result.subject}: {result.meaning} ({result.name})")
        if result.bad_origins:
            more = result.bad_rows - len(result.bad_origins)
            rest = f" and {more:,} more" if more > 0 else ""
            lines.append(f"    {result.bad_rows:,} not so: {', '.join(result.bad_origins)}{rest}")
        elif result.observed:
            lines.append(f"    found: {result.observed}")
    return "\n".join(lines)


def _hint(context: Context) -> str:
    project, paths = context.project, context.paths
    return (
        f"correct the rows in {project.shown(paths.data)}/, or what `validate:` in {project.shown(paths.model_yaml)} "
        f"expects; then  tailtune run {context.case.name}"
    )
