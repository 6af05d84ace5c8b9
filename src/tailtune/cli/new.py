"""`tailtune new`: from a file of labelled rows to a declared use case."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tailtune.cli import aside
from tailtune.cli.samples import restore_samples
from tailtune.core.errors import DataError, Fault, TailTuneError, UsageError
from tailtune.services import sources, store, versions
from tailtune.spec.load import load_use_case
from tailtune.spec.model import DataSpec
from tailtune.spec.paths import Paths
from tailtune.spec.yaml_lines import LinedYaml

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = frozenset({"truth"})


@dataclass(frozen=True)
class Made:
    """One per new use case: what was written."""

    rows: int
    labels: int


def create(
    paths: Paths, name: str, source: Path, test: Path | None, *, text: str, label: str, group: str | None
) -> Made:
    """Declare a use case: spec, labels, rows, the pin of data/ and the stage graph. All of it or nothing.

    Raises:
        UsageError: The name is malformed, taken or reserved.
        DataError: The files cannot be used as they are; every fault with its line.
        BusyError: Another one is at work.
    """
    with aside.alone(paths):
        aside.clear(paths)
        return _create(paths, name, source, test, text=text, label=label, group=group)


def _create(
    paths: Paths, name: str, source: Path, test: Path | None, *, text: str, label: str, group: str | None
) -> Made:
    _check_name(paths, name)
    test_name = None if test is None else (test.name if test.name != source.name else f"test-{test.name}")
    data = DataSpec(file=source.name, test_file=test_name, text=text, label=label, group=group)
    counts = sources.labels_in(source, data)
    test_counts = {} if test is None else sources.labels_in(test, data)
    _check_labels(counts, test_counts, source, test)
    restore_samples(paths)
    with _undone_on_error(paths, name):
        case = aside.build_in(paths, name)
        shutil.copyfile(source, case.data / source.name)
        if test is not None and test_name is not None:
            shutil.copyfile(test, case.data / test_name)
        with store.written_whole(case.labels_yaml) as part:
            part.write_text(_labels_yaml(sorted(counts | test_counts)), encoding="utf-8")
        with store.written_whole(case.model_yaml) as part:
            part.write_text(_model_yaml(name, data), encoding="utf-8")
        load_use_case(paths, case.use_case)
        aside.place_rows(paths, name)
        versions.pin_data(paths)  # takes the longest: killed here, the next `new` removes what there is
        aside.place_declaration(paths, name)
        versions.add_use_case(paths, name)
    return Made(sum(counts.values()) + sum(test_counts.values()), len(counts | test_counts))


def _check_name(paths: Paths, name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > 60:
        raise UsageError(
            f"{name!r}: expected lower-case letters, digits and single dashes, at most 60", "tailtune new my-use-case …"
        )
    if name in _RESERVED:
        raise UsageError(f"{name}: reserved", f"tailtune new {name}-2 …")
    case = paths.case(name)
    folder, rows = paths.shown(case.folder), paths.shown(case.data)
    if case.folder.exists():
        if name in _declared(paths):
            raise UsageError(f"{folder}: the name is taken", f"tailtune show {name}, or choose another name")
        raise UsageError(
            f"{folder}: the name is taken, but use_cases in {paths.shown(paths.dvc_yaml)} does not have it",
            f"add `- {name}` to use_cases there, then: tailtune check {name}. "
            f"Or remove {folder} and {rows} and run this again",
        )
    if case.data.exists():
        raise UsageError(
            f"{rows}: the name is taken by rows of no use case", f"move {rows} away, or choose another name"
        )


def _declared(paths: Paths) -> set[str]:
    """The use cases of the stage graph."""
    shown = paths.shown(paths.dvc_yaml)
    variables = LinedYaml(paths.dvc_yaml, shown, f"git checkout {shown}").value.get("vars") or []
    return {name for entry in variables if isinstance(entry, dict) for name in entry.get("use_cases") or []}


def _check_labels(counts: dict[str, int], test_counts: dict[str, int], source: Path, test: Path | None) -> None:
    faults = []
    if len(counts) < 2:
        faults.append(
            Fault(str(source), f"expected at least 2 different labels, found {len(counts)}: {', '.join(counts)}")
        )
    for label in sorted(set(test_counts) - set(counts)):
        faults.append(Fault(str(test), f"label `{label}` ({test_counts[label]} rows) never occurs in {source.name}"))
    if faults:
        raise DataError(faults[:20], "correct the file, or name another column with --label")


@contextmanager
def _undone_on_error(paths: Paths, name: str) -> Iterator[None]:
    """Leave nothing behind when a step fails."""
    graph = paths.dvc_yaml.read_bytes()
    pin = paths.data_dvc.read_bytes() if paths.data_dvc.is_file() else None
    try:
        yield
    except BaseException as error:
        aside.clear(paths)
        shutil.rmtree(paths.case(name).folder, ignore_errors=True)
        shutil.rmtree(paths.case(name).data, ignore_errors=True)
        paths.dvc_yaml.write_bytes(graph)
        if pin is None:
            paths.data_dvc.unlink(missing_ok=True)
        else:
            paths.data_dvc.write_bytes(pin)
        if isinstance(error, OSError):
            raise TailTuneError(f"{name}: cannot be written: {error}", "make room, then run again") from error
        raise


def _labels_yaml(labels: list[str]) -> str:
    lines = ["# label: what belongs to it, in words. The zero-shot rung reads these; better words, better rung."]
    return "\n".join([*lines, *(f"{_quoted(label)}: {_quoted(_words(label))}" for label in labels)]) + "\n"


def _words(label: str) -> str:
    return re.sub(r"[_\-\s]+", " ", label).strip()


def _quoted(text: str) -> str:
    """As a YAML scalar; quoted whenever YAML could read it as something else."""
    if re.fullmatch(r"[A-Za-z][A-Za-z _]*[A-Za-z]", text) and text.lower() not in {
        "yes",
        "no",
        "on",
        "off",
        "true",
        "false",
        "null",
    }:
        return text
    # JSON's escapes are YAML's; the rest are line breaks and control characters that only YAML knows.
    json_text = json.dumps(text, ensure_ascii=False)
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", json_text)


def _model_yaml(name: str, data: DataSpec) -> str:
    optional = "".join(
        f"  {key}: {_quoted(value)}\n" for key, value in (("test_file", data.test_file), ("group", data.group)) if value
    )
    return f"""\
# What the use case is, declared. Fields: models/README.md. Check: tailtune check {name}
task: classification
description: ""

data:
  file: {_quoted(data.file)}
{optional}  text: {_quoted(data.text)}
  label: {_quoted(data.label)}

curate:
  near_duplicate_similarity: 0.85

split:
  dev_share: 0.1

validate:
  min_rows_per_class: 8

ladder:
  shots: 10
  neighbours: 10

targets:
  accuracy: 0.95

train:
  when: auto

evaluate: {{}}

register: {{}}
"""
