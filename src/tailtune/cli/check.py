"""`tailtune check`: does the spec hold, and do the rows fit it? Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice

from tailtune.config.paths import Paths
from tailtune.config.prices import load_prices
from tailtune.core.errors import DataError, Fault, MissingInputError, SpecError
from tailtune.lifecycle import must_not_fail
from tailtune.lifecycle.audits import audited_rows
from tailtune.lifecycle.corrections import Corrections
from tailtune.lifecycle.feedback import Feedback
from tailtune.lifecycle.language_models import price_faults
from tailtune.lifecycle.new_classes import accepted_rows
from tailtune.predictors.prepare.clean import clean
from tailtune.predictors.prompted.codec import undescribed
from tailtune.predictors.prompted.templates import load_templates
from tailtune.predictors.reading import SAMPLE_ROWS, reading
from tailtune.report.numbers import counted
from tailtune.services import sources
from tailtune.tasks.label_check import LabelCheck, look_alike_lines
from tailtune.tasks.prompts import has_own_prompts
from tailtune.tasks.use_case import UseCase, load_use_case

_NAMED = 10  # labels or fields that a line names


def examine(paths: Paths, name: str) -> list[str]:
    """Lines that say what was checked.

    Raises:
        SpecError: Faults in the spec, in what an answer may be, in prompts, or in the prices.
        MissingInputError: A prompt that a declared model is sent is not there.
        DataError: Faults in the rows of either file, and names that are not declared or that no row has; all at once.
    """
    case = load_use_case(paths, name)
    prices = load_prices(paths)
    task, hint = case.task, f"tailtune check {name}"
    contradictions = [*task.faults(), *price_faults(case, prices)]
    if contradictions:
        raise SpecError(contradictions, hint)
    answers = paths.shown(case.answers_file)
    noun = f"{task.noun}s"
    width = max(len(f"models/{name}/model.yaml"), len(answers))
    lines = [
        f"{f'models/{name}/model.yaml':{width}}  ok",
        f"{answers:{width}}  ok, {len(case.answers.names)} {noun}",
        *_prompts(case, width),
    ]
    check = task.label_check()
    faults: list[Fault] = []
    trained: dict[str, int] | None = None
    for file in filter(None, (case.spec.data.file, case.spec.data.test_file)):
        try:
            lines += _count(case, file, check, hint)
        except DataError as error:
            faults += error.faults
            continue
        trained = dict(check.seen) if trained is None else trained
    accepted: dict[str, int] = {}
    try:
        lines += _corrections(case)
        accepted = Counter(
            str(row.label) for row in accepted_rows(case, case.paths.rows_file(case.paths.proposed.name))
        )
    except DataError as error:
        faults += error.faults
    read_all = not faults
    faults += check.faults()
    if (must := case.spec.targets.must_not_fail) is not None:
        try:
            tests = must_not_fail.read(case, case.paths.rows_file(must))
            lines.append(f"data/{name}/{must}  ok, {counted(len(tests), 'row')} that must not fail")
        except DataError as error:
            faults += error.faults
    seen = check.seen | accepted
    unused = [label for label in case.answers.names if not seen.get(label)] if read_all else []
    if unused:
        hint = f"remove them from {answers}, or label rows" if not faults else hint
        faults.append(Fault(answers, f"no row has: {', '.join(unused[:20])}"))
    if faults:
        raise DataError(faults, hint)
    only_test = [label for label in case.answers.names if label not in (trained or {}).keys() | accepted.keys()]
    if only_test:
        lines.append(f"{answers:{width}}  only test rows have: {_named(only_test)}; nothing can be learnt about them")
    least = getattr(case.spec.validate_, "min_rows_per_class", 0)
    few = [name for name in case.answers.names if 0 < (trained or {}).get(name, 0) < least]
    if few:
        own = f"{len(few)} with fewer rows in {case.spec.data.file} than validate.min_rows_per_class ({least})"
        lines.append(f"{answers:{width}}  {own}: {_named(few)}")
    return [*lines, *look_alike_lines(check.seen, task.noun, task.respelling), *encoder_lines(case)]


def encoder_lines(case: UseCase) -> list[str]:
    """Lines about what the encoder cannot read of the first 2,000 rows; none where it is not installed.

    Raises:
        DataError: Faults in those rows.
    """
    path = case.paths.rows_file(case.spec.data.file)
    rows = sources.read(path, case.task.columns(), case.paths.project.shown(path))
    try:
        return list(reading([clean(row.text)[0] for row in islice(rows, SAMPLE_ROWS)]).lines)
    except MissingInputError:
        return []


def _prompts(case: UseCase, width: int) -> list[str]:
    """Lines about the prompts, and about what they have no words for.

    Raises:
        MissingInputError: A prompt that a declared model is sent is not there.
        SpecError: Faults in prompts.
    """
    shown = f"{case.paths.project.shown(case.paths.prompts)}/"
    if not case.spec.prompt.models and not case.paths.prompts.is_dir():
        return [f"{shown:{width}}  none; write starting prompts: tailtune prompts {case.name}"]
    if not has_own_prompts(case):
        return [f"{shown:{width}}  none; starting prompts are sent; to make them yours: tailtune prompts {case.name}"]
    codec = case.task.codec()
    lines = [f"{shown:{width}}  ok, {counted(len(load_templates(case, codec)), 'prompt')}"]
    bare = undescribed(codec)
    if bare:
        answers = case.paths.project.shown(case.answers_file)
        lines.append(f"{answers:{width}}  {len(bare)} without a description, which prompts read: {_named(bare)}")
    return lines


def _corrections(case: UseCase) -> list[str]:
    """Lines about the labels that people corrected, and the rows that they labelled; none where there are none.

    Raises:
        DataError: Lines that are none, or name no declared label.
    """
    file = case.paths.rows_file(case.paths.corrections.name)
    known = Corrections.of(case, file).by_id
    lines = [f"{case.paths.project.shown(file)}  ok, {counted(len(known), 'corrected label')}"] if known else []
    file = case.paths.rows_file(case.paths.feedback.name)
    sent = Feedback.of(case, file).rows
    lines += [f"{case.paths.project.shown(file)}  ok, {counted(len(sent), 'row')} from feedback"] if sent else []
    file = case.paths.rows_file(case.paths.audits.name)
    audited = audited_rows(case, file)
    lines += [f"{case.paths.project.shown(file)}  ok, {counted(len(audited), 'row')} from audits"] if audited else []
    file = case.paths.rows_file(case.paths.proposed.name)
    accepted = accepted_rows(case, file)
    if accepted:
        lines.append(f"{case.paths.project.shown(file)}  ok, {counted(len(accepted), 'row')} of proposed classes")
    return lines


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _count(case: UseCase, file: str, check: LabelCheck, hint: str) -> list[str]:
    """Lines about a file: its rows, how many different names they bear, and how many are rejected.

    Raises:
        DataError: It cannot be read.
    """
    path, task = case.paths.rows_file(file), case.task
    shown = case.paths.project.shown(path)
    before = dict(check.seen)
    rows, rejected = 0, Counter[str]()
    try:
        for row in sources.read(path, task.columns(), shown, hint, rejected=rejected):
            check.add(row.label, row.origin)
            rows += 1
    except OSError as error:
        raise DataError([Fault(shown, f"cannot be read: {error.strerror or error}")], hint) from error
    names = sum(count > before.get(name, 0) for name, count in check.seen.items())
    left_out = sources.rejected_rows(rejected)
    lines = [f"ok, {counted(rows, 'row')}, {counted(names, task.noun)}", *([left_out] if left_out else [])]
    return [f"data/{case.name}/{file}  {line}" for line in lines]
