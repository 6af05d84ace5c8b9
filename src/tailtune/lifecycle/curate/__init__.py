"""Clean, scrub, de-duplicate and split the rows of a use case; every dropped row has a reason and an origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tailtune.core.errors import DataError, Fault, SpecError
from tailtune.core.records import SPLITS, Row, Split
from tailtune.core.reports import CurateReport
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.curate import dedupe
from tailtune.lifecycle.curate.drops import Drops
from tailtune.lifecycle.curate.intake import Tidy, test_rows, train_rows
from tailtune.services import sources, store
from tailtune.services.sources import RawRow
from tailtune.tasks.label_check import LabelCheck

_BATCH_ROWS = 8192
_TICK_ROWS = 20_000


def run(context: Context) -> CurateReport:
    """Write the curated rows of the three splits, and every dropped row.

    Returns:
        The counts; they add up.

    Raises:
        SpecError: The spec and what an answer may be contradict each other.
        DataError: A file cannot be read as the spec says, or rows bear labels that the use case does not
            declare; all of it at once.
    """
    task, spec = context.case.task, context.case.spec
    contradictions = list(task.faults())
    if contradictions:
        raise SpecError(contradictions, f"tailtune check {context.case.name}")
    drops, read = Drops.of(task.reasons), Counter[str]()
    tests, unique = _read(context, drops, read)
    kept = dedupe.near(tests, unique, spec.curate.near_duplicate_similarity, drops, context.progress)
    context.progress.say(f"{len(unique) - len(kept):,} near-duplicates dropped, {len(kept) + len(tests):,} rows kept")
    everyone = [*tests, *kept]
    splits: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for tidy in everyone:
        splits[tidy.row.split or "train"].append(tidy.row)
    report = CurateReport(  # before anything is written: it refuses counts that do not add up
        use_case=context.case.name,
        stage="curate",
        rows_digest=store.rows_digest(splits["train"], splits["dev"]),
        rows_read=read.total(),
        rows_kept=len(everyone),
        dropped=drops.counts(),
        dropped_examples=drops.examples(),
        changed=_counted(change for tidy in everyone for change in tidy.changes),
        splits={split: len(rows) for split, rows in splits.items()},
        unit=task.noun,
        labels=_counted(name for tidy in everyone for name in task.names_in(tidy.row.label)),
        unaligned=_counted(name for tidy in everyone for name in task.unaligned(tidy.row.label)),
        test_file=spec.data.test_file is not None,
        test_rows_read=read["test_file"],
        leaked_test_rows=drops.leaked_test_rows(),
    )
    _write(context, splits, drops)
    return report


def _read(context: Context, drops: Drops, read: Counter[str]) -> tuple[list[Tidy], list[Tidy]]:
    """Tidy rows of the test file (none without one) and of the training file, the latter without exact repeats.

    Args:
        context: Of the stage.
        drops: Takes the other rows.
        read: Takes the number of rows that each file gave out, by its key in the spec.
    """
    case, spec = context.case, context.case.spec
    check = case.task.label_check()
    faults: list[Fault] = []
    hint = f"tailtune check {case.name}"
    tests: list[Tidy] = []
    unique: list[Tidy] = []
    if spec.data.test_file is not None:
        try:
            tests = list(test_rows(_raw(context, spec.data.test_file, check, read, "test_file"), case, drops))
        except DataError as error:
            faults += error.faults
    try:
        raw = _raw(context, spec.data.file, check, read, "file")
        unique = dedupe.exact(tests, train_rows(raw, case, drops), drops)
    except DataError as error:
        faults += error.faults
    faults += check.faults()
    if faults:
        raise DataError(faults, hint)
    repeats = len(tests) - len({test.form for test in tests})
    if repeats:
        context.progress.say(f"{repeats:,} test rows repeat another test row; they stay, the file is yours")
    why = ", ".join(reason.replace("_", " ") for reason in drops.counts()) or "no reason"
    context.progress.say(f"{read.total():,} rows read, {len(drops.rows):,} dropped so far: {why}")
    return tests, unique


def _raw(context: Context, name: str, check: LabelCheck, read: Counter[str], key: str) -> Iterator[RawRow]:
    file, hint = context.paths.data / name, f"tailtune check {context.case.name}"
    columns = context.case.task.columns()
    for seen, raw in enumerate(sources.read(file, columns, context.project.shown(file), hint, name)):
        read[key] += 1
        if seen % _TICK_ROWS == 0:
            context.progress.at(seen, 0, f"{seen:,} rows of {name} read")
        check.add(raw.label, raw.origin)
        yield raw


def _write(context: Context, splits: dict[Split, list[Row]], drops: Drops) -> None:
    # The files of an earlier run go first: killed half-way, this run leaves a gap and never a mixture.
    for old in (*map(context.paths.rows, SPLITS), context.paths.dropped):
        old.unlink(missing_ok=True)
    store.write_jsonl(context.paths.dropped, drops.as_json())
    for split, rows in splits.items():
        store.write_rows(context.paths.rows(split), _batches(rows))


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _BATCH_ROWS):
        yield rows[start : start + _BATCH_ROWS]


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
