"""Clean, scrub, de-duplicate and split the rows of a use case; every dropped row has a reason and an origin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tailtune.core.errors import DataError, Fault
from tailtune.core.records import SPLITS, Row, Split
from tailtune.core.reports import CurateReport
from tailtune.services import sources, store
from tailtune.services.sources import RawRow
from tailtune.stages.context import Context
from tailtune.stages.curate import dedupe
from tailtune.stages.curate.drops import Drops
from tailtune.stages.curate.intake import Tidy, test_rows, train_rows
from tailtune.stages.curate.labels import LabelBook

_BATCH_ROWS = 8192
_TICK_ROWS = 20_000


def run(context: Context) -> CurateReport:
    """Write the curated rows of the three splits, and every dropped row.

    Returns:
        The counts; they add up.

    Raises:
        DataError: A file cannot be read as the spec says, or rows bear labels that the use case does not
            declare; all of it at once.
    """
    spec, drops = context.case.spec, Drops()
    tests, unique = _read(context, drops)
    kept = dedupe.near(tests, unique, spec.curate.near_duplicate_similarity, drops, context.progress)
    context.progress.say(f"{len(unique) - len(kept):,} near-duplicates dropped, {len(kept) + len(tests):,} rows kept")
    everyone = [*tests, *kept]
    splits: dict[Split, list[Row]] = {split: [] for split in SPLITS}
    for tidy in everyone:
        splits[tidy.row.split or "train"].append(tidy.row)
    _write(context, splits, drops)
    dropped = drops.counts()
    test_drops = sum(row.split == "test" for row in drops.rows)
    return CurateReport(
        use_case=context.case.name,
        stage="curate",
        rows_digest=store.rows_digest(splits["train"], splits["dev"]),
        rows_read=len(everyone) + len(drops.rows),
        rows_kept=len(everyone),
        dropped=dropped,
        dropped_examples=drops.examples(),
        changed=_counted(change for tidy in everyone for change in tidy.changes),
        splits={split: len(rows) for split, rows in splits.items()},
        labels=_counted(tidy.row.label for tidy in everyone),
        test_file=spec.data.test_file is not None,
        test_rows_read=len(tests) + test_drops,
        leaked_test_rows=drops.leaked_test_rows(),
    )


def _read(context: Context, drops: Drops) -> tuple[list[Tidy], list[Tidy]]:
    """Tidy rows of the test file (none without one) and of the training file, the latter without exact repeats."""
    case, project, spec = context.case, context.project, context.case.spec
    book = LabelBook(case.label_names, project.shown(case.paths.labels_yaml), project.shown(case.paths.data))
    faults: list[Fault] = []
    hint = f"tailtune check {case.name}"
    tests: list[Tidy] = []
    unique: list[Tidy] = []
    if spec.data.test_file is not None:
        try:
            tests = list(test_rows(_raw(context, spec.data.test_file, book, hint), spec, drops))
        except DataError as error:
            faults += error.faults
    try:
        unique = dedupe.exact(tests, train_rows(_raw(context, spec.data.file, book, hint), spec, drops), drops)
    except DataError as error:
        faults += error.faults
    faults += book.faults()
    if faults:
        raise DataError(faults, hint)
    repeats = len(tests) - len({test.form for test in tests})
    if repeats:
        context.progress.say(f"{repeats:,} test rows repeat another test row; they stay, the file is yours")
    read = len(tests) + len(unique) + len(drops.rows)
    context.progress.say(f"{read:,} rows read, {len(drops.rows):,} dropped: empty, too short or long, repeated")
    return tests, unique


def _raw(context: Context, name: str, book: LabelBook, hint: str) -> Iterator[RawRow]:
    file = context.paths.data / name
    for seen, raw in enumerate(sources.read(file, context.case.spec.data, context.project.shown(file), hint, name)):
        if seen % _TICK_ROWS == 0:
            context.progress.at(seen, 0, f"{seen:,} rows of {name} read")
        book.check(raw.label, raw.origin)
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
