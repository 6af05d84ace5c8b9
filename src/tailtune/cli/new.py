"""`tailtune new`: from a file of labelled rows to a declared use case; and the starting prompts that one lacks."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tailtune.cli import staging
from tailtune.cli.check import encoder_lines
from tailtune.cli.sample import restore_samples
from tailtune.config.paths import CasePaths, Paths
from tailtune.core.errors import DataError, Fault, SpecError, TailTuneError, UsageError
from tailtune.lifecycle import graph
from tailtune.services import store, versions
from tailtune.tasks.base import Task
from tailtune.tasks.declare import Declaration, NewUseCase
from tailtune.tasks.table import TASKS
from tailtune.tasks.use_case import load_use_case, read_declaration

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = frozenset({"truth"})


def create(paths: Paths, task: str, new_case: NewUseCase) -> list[str]:
    """Declare a use case: spec, what answers may be, prompts, rows, the pin of data/, the stage graph. All or nothing.

    Returns:
        Lines that say what was written.

    Raises:
        UsageError: The name is malformed, taken or reserved, or there is no such task.
        DataError: The files cannot be used as they are; every fault with its line.
        BusyError: Another one is at work.
    """
    if task not in TASKS:
        raise UsageError(f"--task {task}: no such task; there is {', '.join(TASKS)}", "tailtune new --help")
    kind = TASKS[task].load_class()
    with staging.alone(paths):
        staging.clear(paths)
        made = _create(paths, kind, new_case)
    answers = f"models/{new_case.name}/{kind.spec_type.ANSWERS}"
    spec = f"models/{new_case.name}/model.yaml"
    width, prompts = max(len(spec), len(answers)), kind.starting_prompts("")
    notes = [*(made.notes or [""]), *encoder_lines(load_use_case(paths, new_case.name))]
    return [
        f"{spec:{width}}  written; read it, it says what will happen",
        f"{answers:{width}}  {notes[0]}",
        *(" " * (width + 2) + line for line in notes[1:]),
        f"{f'models/{new_case.name}/prompts/':{width}}  {len(prompts)} starting prompts for language models",
        f"{f'data/{new_case.name}/':{width}}  {made.rows:,} rows, pinned by data.dvc",
    ]


def write_missing_prompts(paths: Paths, name: str) -> list[str]:
    """Write each starting prompt that a use case lacks; what is there stays as it is: `tailtune prompts`.

    Returns:
        Lines that say what was written.

    Raises:
        UsageError: No such use case.
        SpecError: Its declaration has faults.
    """
    case = load_use_case(paths, name)
    case.paths.prompts.mkdir(exist_ok=True)
    lines = []
    for prompt, text in case.task.starting_prompts(case.spec.description).items():
        path = case.paths.prompts / f"{prompt}.md"
        if path.exists():
            lines.append(f"{paths.shown(path)}  is there, left as it is")
            continue
        with store.written_whole(path) as file:
            file.write_text(text, encoding="utf-8")
        lines.append(f"{paths.shown(path)}  written; read it, and make it yours")
    return lines


def _create(paths: Paths, task: type[Task], new_case: NewUseCase) -> Declaration:
    name, source, test = new_case.name, new_case.source, new_case.test
    _check_name(paths, name)
    if test is not None:
        new_case = replace(new_case, test_name=test.name if test.name != source.name else f"test-{test.name}")
    made = task.declare(new_case)
    answers = task.spec_type.ANSWERS
    restore_samples(paths)
    with _undone_on_error(paths, name):
        case = staging.build_in(paths, name)
        shutil.copyfile(source, case.data / source.name)
        if test is not None and new_case.test_name is not None:
            shutil.copyfile(test, case.data / new_case.test_name)
        case.prompts.mkdir()
        prompts = {case.prompts / f"{prompt}.md": text for prompt, text in task.starting_prompts("").items()}
        declared = {case.folder / answers: made.answers, case.model_yaml: made.model_yaml, **prompts}
        for file, text in declared.items():
            with store.written_whole(file) as whole:
                whole.write_text(text, encoding="utf-8")
        _read_back(case, new_case)
        staging.place_rows(paths, name)
        versions.pin_data(paths)  # takes the longest: killed here, the next `new` removes what there is
        staging.place_declaration(paths, name)
        graph.add_use_case(paths, name, answers)
    return made


def _read_back(case: CasePaths, new_case: NewUseCase) -> None:
    """Make sure that what was written can be read.

    Raises:
        DataError: It cannot, because of what stands in the file, or of its name.
    """
    try:
        read_declaration(case)
    except SpecError as error:
        would = [Fault(fault.where.replace(f"{staging.STAGING}/", "", 1), fault.what) for fault in error.faults]
        faults = [Fault(str(new_case.source), f"would make {fault}") for fault in would]
        hint = "rename the file or correct it, or name other columns, then run the same command again"
        raise DataError(faults, hint) from None


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
        if name in graph.use_cases(paths):
            raise UsageError(f"{folder}: the name is taken", f"tailtune show {name}, or choose another name")
        raise UsageError(
            f"{folder}: the name is taken, but use_cases in {paths.shown(paths.dvc_yaml)} does not have it",
            f"make graph, then: tailtune check {name}. Or remove {folder} and {rows} and run this again",
        )
    if case.data.exists():
        raise UsageError(
            f"{rows}: the name is taken by rows of no use case", f"move {rows} away, or choose another name"
        )


@contextmanager
def _undone_on_error(paths: Paths, name: str) -> Iterator[None]:
    """Leave nothing behind when a step fails."""
    stage_graph = paths.dvc_yaml.read_bytes()
    pin = paths.data_dvc.read_bytes() if paths.data_dvc.is_file() else None
    try:
        yield
    except BaseException as error:
        staging.clear(paths)
        shutil.rmtree(paths.case(name).folder, ignore_errors=True)
        shutil.rmtree(paths.case(name).data, ignore_errors=True)
        paths.dvc_yaml.write_bytes(stage_graph)
        if pin is None:
            paths.data_dvc.unlink(missing_ok=True)
        else:
            paths.data_dvc.write_bytes(pin)
        if isinstance(error, OSError):
            raise TailTuneError(f"{name}: cannot be written: {error}", "make room, then run again") from error
        raise
