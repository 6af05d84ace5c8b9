"""Files of `build/` and `reports/`: rows as Parquet, JSON written whole or not at all; and how much room they take."""

from __future__ import annotations

import glob
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from typing import Any, TypeVar

import psutil
from pydantic import ValidationError

from tailtune.config.paths import CasePaths
from tailtune.core.errors import MissingInputError, TailTuneError
from tailtune.core.records import Row, Split
from tailtune.core.reports import REPORTS, Report

R = TypeVar("R", bound=Report)
_COLUMNS, _REVIEW = ("id", "text", "label", "origin", "group"), "review"
_ESCAPED = "backslashreplace"  # half a surrogate pair, which is no UTF-8, becomes an escape of JSON
_SLICE = "slice:"  # before the name of a slice's column


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A temporary neighbour that takes the path's place when the block ends without an error.

    What a killed process has left in its place is removed.

    Raises:
        TailTuneError: No space is left, or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_torn(path)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise TailTuneError(
            f"{path}: cannot be written: {error.strerror or error}", "make room, then run again"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _remove_torn(path: Path) -> None:
    """Remove temporary neighbours of processes that have died."""
    for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        pid = part.name.split(".")[-2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            part.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole."""
    with written_whole(path) as part:
        part.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", errors=_ESCAPED)


def write_jsonl(path: Path, values: Iterable[dict[str, Any]]) -> int:
    """Write one JSON object per line, whole. Returns the number of lines."""
    count = 0
    with written_whole(path) as part, part.open("w", encoding="utf-8", errors=_ESCAPED) as out:
        for value in values:
            out.write(json.dumps(value, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_answers(path: Path, rows: Sequence[Row], answers: Mapping[str, Sequence[str | None]]) -> int:
    """Write what every predictor answered, one line per row with its origin and label. Returns the number of lines."""
    lines = (
        {"id": row.id, "origin": row.origin, "expected": str(row.label), **{name: answers[name][i] for name in answers}}
        for i, row in enumerate(rows)
    )
    return write_jsonl(path, lines)


def write_report(path: Path, report: Report) -> None:
    """Write a stage report whole."""
    with written_whole(path) as part:
        part.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


class Noted(dict[str, Any]):
    """One per JSON object that an earlier stage wrote; one of another version may lack a key.

    Raises:
        MissingInputError: A key is asked for that is not there; the hint names the stage that writes it.
    """

    def __init__(self, values: Any, path: Path, written_by: str) -> None:
        if not isinstance(values, dict):
            raise _torn(path, ValueError("expected a JSON object"), written_by)
        super().__init__(values)
        self._path, self._written_by = path, written_by

    def __missing__(self, key: str) -> Any:
        raise MissingInputError(f"{self._path}: has no `{key}`; another version wrote it", self._written_by)


def read_json(path: Path, needed_by: str, written_by: str) -> Noted:
    """Read a JSON object that an earlier stage wrote.

    Raises:
        MissingInputError: It is not there; the hint names the stage that writes it.
    """
    try:
        return Noted(json.loads(path.read_text(encoding="utf-8")), path, written_by)
    except FileNotFoundError:
        raise MissingInputError(f"{path}: {needed_by} needs it and it is not there", written_by) from None
    except (ValueError, RecursionError) as error:
        raise _torn(path, error, written_by) from error


def _torn(path: Path, error: Exception, written_by: str) -> MissingInputError:
    first = str(error).partition("\n")[0][:200]
    return MissingInputError(f"{path}: torn or damaged, it cannot be read ({first})", written_by)


def read_jsonl(path: Path, needed_by: str, written_by: str) -> list[Noted]:
    """Read one JSON object per line that an earlier stage wrote.

    Raises:
        MissingInputError: The file is not there; the hint names the stage that writes it.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            return [Noted(json.loads(line), path, written_by) for line in lines]
    except FileNotFoundError:
        raise MissingInputError(f"{path}: {needed_by} needs it and it is not there", written_by) from None
    except (ValueError, RecursionError) as error:
        raise _torn(path, error, written_by) from error


def read_report(path: Path, kind: type[R], use_case: str) -> R:
    """Read a stage report.

    Raises:
        MissingInputError: The stage has not run, or another version of TailTune wrote the report.
    """
    stage = next(name for name, known in REPORTS.items() if known is kind)
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MissingInputError(f"{path}: no report of {stage} yet", f"tailtune run {use_case}") from None
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
        raise MissingInputError(
            f"{path}: not a report of {stage} that this version can read ({what})", f"tailtune {stage} {use_case}"
        ) from None


def read_reports(case: CasePaths) -> dict[str, Report]:
    """Stage → report, of the stages that have one, in order."""
    return {
        stage: read_report(case.report(stage), kind, case.use_case)
        for stage, kind in REPORTS.items()
        if case.report(stage).is_file()
    }


def write_rows(path: Path, batches: Iterable[Sequence[Row]], slices: Sequence[str] = ()) -> int:
    """Write rows as Parquet, batch by batch (memory is bounded by a batch). Returns the number of rows.

    Args:
        path: The file.
        batches: The rows.
        slices: Those of a row's slices that are written, each as a column of its own.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    known = (*_COLUMNS, _REVIEW)
    schema = pa.schema([(name, pa.string()) for name in (*known, *(f"{_SLICE}{name}" for name in slices))])
    count = 0
    with written_whole(path) as part, pq.ParquetWriter(part, schema, compression="zstd") as writer:
        for rows in batches:
            columns: dict[str, list[Any]] = {name: [getattr(row, name) for row in rows] for name in known}
            columns["label"] = [str(row.label) for row in rows]
            columns |= {f"{_SLICE}{name}": [dict(row.slices).get(name, "") for row in rows] for name in slices}
            writer.write_table(pa.table(columns, schema=schema))
            count += len(rows)
    return count


def read_rows(path: Path, split: Split, use_case: str, parse_label: Callable[[str], Any] = str) -> list[Row]:
    """Read the curated rows of a split.

    Args:
        path: The Parquet file.
        split: Which split it holds.
        use_case: For the next command.
        parse_label: From a label's text to the label, `Task.parse_label`; labels stay text by default.

    Raises:
        MissingInputError: Curation has not run.
    """
    import pyarrow.parquet as pq

    if not path.is_file():
        raise MissingInputError(f"{path}: no curated rows", f"tailtune curate {use_case}")
    try:
        columns = pq.read_table(path).to_pydict()
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these kinds
        raise _torn(path, error, f"tailtune curate {use_case}") from error
    missing = [name for name in _COLUMNS if name not in columns]
    if missing:
        what = f"no column {', '.join(missing)}; another version wrote it"
        raise MissingInputError(f"{path}: {what}", f"tailtune curate {use_case}")
    reviews = columns.get(_REVIEW, [""] * len(columns["id"]))  # rows of an earlier version have no such column
    named = [name for name in columns if name.startswith(_SLICE)]
    apart = [name.removeprefix(_SLICE) for name in named]
    values = zip(*(columns[name] for name in named), strict=True) if named else repeat((), len(columns["id"]))
    return [
        Row(i, text, parse_label(label), origin, split, group, review, tuple(zip(apart, of_row, strict=True)))
        for i, text, label, origin, group, review, of_row in zip(
            *(columns[c] for c in _COLUMNS), reviews, values, strict=True
        )
    ]


def rows_digest(*splits: Sequence[Row]) -> str:
    """Digest of rows: equal exactly when ids, texts, labels and splits are, in order."""
    digest = hashlib.sha256()
    for rows in splits:
        for row in rows:
            digest.update(f"{row.id}\x1f{row.split}\x1f{row.label}\x1f{row.text}\x1e".encode())
    return digest.hexdigest()[:16]


def require_passed(passed: Path, digest: str, use_case: str) -> None:
    """Make sure that validation passed exactly these train and dev rows.

    Raises:
        MissingInputError: Validation has not run, did not pass, or passed other rows.
    """
    noted = read_json(passed, "the ladder", f"tailtune validate {use_case}")
    if noted.get("rows_digest") != digest:
        raise MissingInputError(
            f"{passed}: validation passed other rows ({noted.get('rows_digest')}, now {digest})",
            f"tailtune run {use_case}",
        )


def first_by_id(rows: Sequence[Row], most: int) -> list[Row]:
    """At most so many rows, chosen by content hash: an unbiased sample that stays when rows are added."""
    if len(rows) <= most:
        return list(rows)
    chosen = set(sorted(row.id for row in rows)[:most])
    return [row for row in rows if row.id in chosen][:most]


def folder_bytes(folder: Path) -> int:
    """Bytes of all files below a folder, each as long as it reads; 0 when it is not there.

    A link counts as the file it leads to: DVC may keep the bytes of `build/` elsewhere. Files that vanish meanwhile
    are left out.
    """
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_size
            except OSError:
                continue
    return total


_NOTE = "rows.json"


def note_rows(folder: Path, digest: str) -> None:
    """Note beside what was fitted which train and dev rows it was fitted on."""
    write_json(folder / _NOTE, {"rows_digest": digest})


def require_same_rows(use_case: str, passed: Path, test: Sequence[Row], **made: Path | str) -> None:
    """Make sure that what is to be scored on test was fitted on the train rows that belong to this very test.

    Args:
        use_case: For the next command.
        passed: Validation's ticket; it holds the digests of the present rows.
        test: The test rows about to be opened.
        made: What → the folder with its note, or the digest itself.

    Raises:
        MissingInputError: Something was fitted on other rows; scored anyway, test rows could be its train rows.
    """
    noted, hint = read_json(passed, "evaluation", f"tailtune validate {use_case}"), f"tailtune run {use_case}"
    if noted["test_digest"] != rows_digest(test):
        raise MissingInputError("the test rows are not the ones that validation passed", hint)
    for what, where in made.items():
        digest = where if isinstance(where, str) else read_json(where / _NOTE, "evaluation", hint)["rows_digest"]
        if digest != noted["rows_digest"]:
            raise MissingInputError(
                f"{what}: made from other rows ({digest}, now {noted['rows_digest']}); test would not be unseen", hint
            )
