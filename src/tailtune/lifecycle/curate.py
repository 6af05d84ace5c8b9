"""Clean, scrub, de-duplicate and split the rows of a use case; every dropped row has a reason and an origin.

A row is dropped as a repeat only of a row that comes before it and was kept, or of a row of the user's test file. A
split is a function of the row alone. So appending rows never changes what was decided about earlier ones.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Literal

from tailtune.config.model import CurateSpec, SplitSpec
from tailtune.core.errors import DataError, Fault, SpecError
from tailtune.core.figures import counted
from tailtune.core.progress import Progress
from tailtune.core.records import SPLITS, Review, Row, Split
from tailtune.core.reports import CurateReport, DroppedExample
from tailtune.lifecycle.audits import audited_rows
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.corrections import Corrections
from tailtune.lifecycle.feedback import NO_FEEDBACK, Feedback
from tailtune.lifecycle.new_classes import accepted_rows
from tailtune.predictors.prepare.clean import clean
from tailtune.services import sources, store
from tailtune.services.near_duplicates import NearDuplicates, normal
from tailtune.services.sources import RawRow
from tailtune.tasks.base import PreparedRow
from tailtune.tasks.label_check import RESPELLED, LabelCheck, look_alike_lines
from tailtune.tasks.use_case import UseCase

_BATCH_ROWS = 8192
_TICK_ROWS = 20_000
_EXAMPLES = 5
_BEFORE_OWN = 4
NO_CORRECTIONS = Corrections()
_TRAIN: Split = "train"
_TEST: Split = "test"
Came = Literal["", "feedback", "audit", "proposed"]
_CONFIRMED: Review = "confirmed"
_NOBODY: Mapping[str, Came] = {}
_LABEL_CHARS = 80  # a longer label is not quoted in a drop's detail

# Reason → what it means, in the order in which a row meets them; a task's own come after too_long.
REASONS: dict[str, str] = {
    "rejected": "an annotation tool marks it as rejected, ignored, cancelled or discarded",
    "empty": "no text is left after cleaning",
    "too_short": "fewer characters than curate.min_chars",
    "too_long": "more characters than curate.max_chars",
    "in_test_file": "the same text stands in the given test file",
    "duplicate": "the same text with the same label stands earlier",
    "duplicate_other_label": "the same text stands earlier under another label",
    "feedback_on_dev_or_test": "feedback on (nearly) a text of dev or test, whose rows stay as they are",
    "audited_before": "audited, but (nearly) the same text stands earlier, in whatever split; that row stays as it is",
    "near_test_file": "nearly the same text stands in the given test file",
    "near_duplicate": "nearly the same text stands earlier",
}


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
    context.inputs.raw_file(spec.data.file)  # a folder that leads elsewhere is refused by its rows, not by corrections
    corrections = Corrections.of(context.case, context.inputs.raw_file(context.case.paths.corrections.name))
    feedback = Feedback.of(context.case, context.inputs.raw_file(context.case.paths.feedback.name))
    audited = audited_rows(context.case, context.inputs.raw_file(context.case.paths.audits.name))
    proposed = accepted_rows(context.case, context.inputs.raw_file(context.case.paths.proposed.name))
    tests, unique = _read(context, corrections, ByPeople(audited, proposed, feedback), drops, read)
    kept = drop_near(tests, unique, spec.curate.near_duplicate_similarity, drops, context.progress)
    context.progress.say(f"{len(unique) - len(kept):,} near-duplicates dropped, {len(kept) + len(tests):,} rows kept")
    everyone = [*tests, *kept]
    respelled = sum(RESPELLED in tidy.changes for tidy in everyone)
    if respelled:
        context.progress.say(f"{respelled:,} kept rows had a {task.noun} in another spelling; now in the declared one")
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
        changed=_most_common(change for tidy in everyone for change in tidy.changes),
        splits={split: len(rows) for split, rows in splits.items()},
        unit=task.noun,
        labels=_most_common(name for tidy in everyone for name in task.names_in(tidy.row.label)),
        unaligned=_most_common(name for tidy in everyone for name in task.unaligned(tidy.row.label)),
        test_file=spec.data.test_file is not None,
        test_rows_read=read["test_file"],
        leaked_test_rows=drops.leaked_test_rows(),
        **_seen_by_people(everyone, corrections, context.progress),
    )
    _write(context, splits, drops)
    for line in look_alike_lines(report.labels, task.noun, task.respelling):
        context.progress.say(line)
    return report


def _seen_by_people(everyone: Sequence[Tidy], corrections: Corrections, progress: Progress) -> dict[str, int]:
    """How many labels people corrected or confirmed, and rows that they labelled, as fields of the report."""
    own = [tidy.row.review for tidy in everyone if not tidy.came]
    corrected, confirmed = (own.count(how) for how in ("corrected", "confirmed"))
    unused = corrections.unused(tidy.row for tidy in everyone)
    came = Counter(tidy.came for tidy in everyone)
    if corrected or confirmed or unused:
        gone = f"; {unused:,} corrections are about rows that are not kept" if unused else ""
        progress.say(f"labels that people looked at: {corrected:,} corrected, {confirmed:,} confirmed{gone}")
    if came["feedback"]:
        progress.say(f"{came['feedback']:,} new train rows from feedback")
    if came["audit"]:
        progress.say(f"{came['audit']:,} new test rows from audits")
    if came["proposed"]:
        progress.say(f"{came['proposed']:,} new rows of proposed classes that people accepted")
    counts = {"corrected_rows": corrected, "confirmed_rows": confirmed, "unused_corrections": unused}
    rows = {"feedback_rows": came["feedback"], "audited_rows": came["audit"], "proposed_rows": came["proposed"]}
    return {**counts, **rows}


def _read(
    context: Context,
    corrections: Corrections,
    people: ByPeople,
    drops: Drops,
    read: Counter[str],
) -> tuple[list[Tidy], list[Tidy]]:
    """Tidy rows of the test file (none without one) and of the training file, the latter without exact repeats.

    Args:
        context: Of the stage.
        corrections: Labels that people gave.
        people: Rows that people labelled; they follow those of the file.
        drops: Takes the other rows.
        read: Takes the number of rows in each file, by the file's key in the spec.
    """
    case, spec = context.case, context.case.spec
    check = case.task.label_check()
    faults: list[Fault] = []
    hint = f"tailtune check {case.name}"
    tests: list[Tidy] = []
    unique: list[Tidy] = []
    if spec.data.test_file is not None:
        try:
            raw = _raw(context, spec.data.test_file, check, read, "test_file", drops)
            tests = list(tidy_test_rows(raw, case, drops, corrections))
        except DataError as error:
            faults += error.faults
    try:
        raw = _raw(context, spec.data.file, check, read, "file", drops)
        read |= {"people": len(people.rows)}
        rows = chain(raw, people.rows)
        tidied = tidy_train_rows(rows, case, drops, corrections, people.feedback, people.came)
        unique = drop_exact(tests, tidied, drops)
    except DataError as error:
        faults += error.faults
    faults += check.faults()
    if faults:
        raise DataError(faults, hint)
    repeats = len(tests) - len({test.form for test in tests})
    if repeats:
        context.progress.say(f"{repeats:,} test rows repeat another test row; they stay, the file is yours")
    shared = {test.row.group for test in tests} & {row.row.group for row in unique} - {None}
    if shared:
        are = f"{counted(len(shared), 'group')} in both {spec.data.test_file} and {spec.data.file}"
        context.progress.say(f"{are}: what is learnt about them may flatter the test; the files are yours")
    why = ", ".join(reason.replace("_", " ") for reason in drops.counts())
    dropped = f"{len(drops.rows):,} dropped so far: {why}" if why else "none dropped so far"
    context.progress.say(f"{read.total():,} rows read, {dropped}")
    return tests, unique


def _raw(
    context: Context, name: str, check: LabelCheck, read: Counter[str], key: Literal["file", "test_file"], drops: Drops
) -> Iterator[RawRow]:
    file, hint = context.inputs.raw_file(name), f"tailtune check {context.case.name}"
    task = context.case.task
    columns = task.columns()
    rows = task.resolve(lambda: sources.read(file, columns, context.shown(file), hint, name, with_rejected=True))
    for seen, raw in enumerate(rows):
        read[key] += 1
        if seen % _TICK_ROWS == 0:
            context.progress.at(seen, 0, f"{seen:,} rows of {name} read")
        if raw.rejected:
            split: Split | None = "test" if key == "test_file" else None
            drops.add(Dropped(raw.origin, "rejected", raw.rejected, str(raw.label), split=split))
            continue
        check.add(raw.label, raw.origin)
        yield raw


def _write(context: Context, splits: dict[Split, list[Row]], drops: Drops) -> None:
    store.write_jsonl(context.out / "dropped.jsonl", drops.as_json())
    for split, rows in splits.items():
        apart = context.case.spec.data.slices if split == "test" else ()  # so a new slice leaves training fresh
        store.write_rows(context.out / f"{split}.parquet", _batches(rows), apart)


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), _BATCH_ROWS):
        yield rows[start : start + _BATCH_ROWS]


def _most_common(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class Tidy:
    """One per row that may be kept: cleaned, scrubbed and of an allowed length.

    Attributes:
        row: With its split.
        form: Digest of the text's normal form; equal exactly for texts that repeat each other.
        changes: What was rewritten in it.
        came: How it came, if not in a file: as feedback it goes to train, from an audit to test, whatever its text is;
            of an accepted class to the split of its text.
    """

    row: Row
    form: bytes
    changes: tuple[str, ...]
    came: Came = ""


@dataclass(frozen=True)
class ByPeople:
    """One per curation: rows that people labelled, other than those of a file.

    Attributes:
        audited: For an audit.
        proposed: Of a proposed class that they accepted.
        feedback: After the model had answered.
    """

    audited: Sequence[RawRow]
    proposed: Sequence[RawRow]
    feedback: Feedback

    @property
    def rows(self) -> list[RawRow]:
        """All of them, in the order in which they claim a text."""
        return [*self.audited, *self.proposed, *self.feedback.rows]

    @property
    def came(self) -> dict[str, Came]:
        """Origin → how the row came."""
        came: dict[str, Came] = {row.origin: "feedback" for row in self.feedback.rows}
        came |= {row.origin: "audit" for row in self.audited}
        return came | {row.origin: "proposed" for row in self.proposed}


def tidy_train_rows(
    raw: Iterable[RawRow],
    case: UseCase,
    drops: Drops,
    corrections: Corrections = NO_CORRECTIONS,
    feedback: Feedback = NO_FEEDBACK,
    came: Mapping[str, Came] = _NOBODY,
) -> Iterator[Tidy]:
    """Tidy the rows of the training file, and assign their splits; short, long and unusable ones are dropped."""
    spec, task = case.spec, case.task
    for given in raw:
        cleaned, changes = clean(given.text)
        reason = _wrong_length(cleaned, spec.curate)
        if reason is not None:
            drops.add(Dropped(given.origin, reason, _length_detail(reason, cleaned, spec.curate), str(given.label)))
            continue
        made = task.prepare_row(given, cleaned, changes)
        # Scrubbing may have made the text shorter or longer.
        reason = _wrong_length(made.text, spec.curate) or made.reason
        if reason:
            detail = made.detail or _length_detail(reason, made.text, spec.curate)
            drops.add(Dropped(given.origin, reason, detail, str(given.label)))
            continue
        form = normal(made.text)
        name, how = row_id(given), came.get(given.origin, "")
        if how == "feedback":
            split, review = _TRAIN, _CONFIRMED
            if feedback.is_older(form, corrections.at.get(form, "")):
                made, review = corrections.apply(name, form, made)
        elif how == "audit":
            made, review = corrections.apply(name, form, made)
            split, review = _TEST, review or _CONFIRMED
        else:
            split = split_of(form if given.group is None else given.group, spec.split, spec.data.test_file is not None)
            made, review = corrections.apply(name, form, made)
            if split == "train":
                made, review = feedback.apply(form, given, made, review, corrections.at.get(form, ""))
            review = _CONFIRMED if how == "proposed" and not review else review
        row = Row(name, made.text, made.label, given.origin, split, given.group, review, given.slices)
        yield Tidy(row, form_digest(form), made.changes, how)


def tidy_test_rows(
    raw: Iterable[RawRow], case: UseCase, drops: Drops, corrections: Corrections = NO_CORRECTIONS
) -> Iterator[Tidy]:
    """Tidy the rows of the user's test file: all of them stay in test, except empty and unusable ones."""
    task = case.task
    seen: Counter[str] = Counter()
    for given in raw:
        cleaned, changes = clean(given.text)
        made = task.prepare_row(given, cleaned, changes) if cleaned else PreparedRow("", given.label, reason="empty")
        if made.reason:
            drops.add(Dropped(given.origin, made.reason, made.detail, str(given.label), split="test"))
            continue
        name = row_id(given)
        seen[name] += 1
        unique = name if seen[name] == 1 else f"{name}-{seen[name]}"
        form = normal(made.text)
        made, review = corrections.apply(unique, form, made)
        row = Row(unique, made.text, made.label, given.origin, "test", given.group, review, given.slices)
        yield Tidy(row, form_digest(form), made.changes)


def row_id(given: RawRow) -> str:
    """Content hash of raw text and label, 16 hex digits; the same row has it in every run."""
    raw = f"{given.text}\x1f{given.label}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()[:16]


def form_digest(form: str) -> bytes:
    """Digest of a normal form: 16 bytes for a text of any length."""
    return hashlib.sha256(form.encode()).digest()[:16]


def _wrong_length(text: str, spec: CurateSpec) -> str | None:
    if not text:
        return "empty"
    if len(text) < spec.min_chars:
        return "too_short"
    return "too_long" if len(text) > spec.max_chars else None


def _length_detail(reason: str, text: str, spec: CurateSpec) -> str:
    limit = {"too_short": f"at least {spec.min_chars}", "too_long": f"at most {spec.max_chars:,}"}.get(reason)
    return "" if limit is None else f"{len(text):,} characters; expected {limit}"


def split_of(key: str, spec: SplitSpec, test_given: bool) -> Split:
    """The split of a group: a pure function of its key, so that growth and order never move a row.

    Args:
        key: The group's value, or the normal form of a text that is its own group.
        spec: Shares and salt.
        test_given: True when the user gave the test rows; then rows go to train and dev only.

    Returns:
        The split. Over many keys the shares hold within sampling error; a single large group goes whole.
    """
    point = int.from_bytes(hashlib.sha256(f"{spec.salt}\x1f{key}".encode()).digest()[:8], "big") / 2**64
    # Dev comes first, so that its rows stay dev when the test share changes or a test file arrives.
    if point < spec.dev_share:
        return "dev"
    if not test_given and point < spec.dev_share + spec.test_share:
        return "test"
    return "train"


def drop_exact(tests: Sequence[Tidy], rows: Iterable[Tidy], drops: Drops) -> list[Tidy]:
    """Keep the first row of every normal form that is not in the test file.

    Args:
        tests: Rows of the user's test file; they are not compared among themselves.
        rows: Rows of the training file, in order.
        drops: Takes the others.
    """
    in_test: dict[bytes, list[Tidy]] = {}
    for test in tests:
        in_test.setdefault(test.form, []).append(test)
    kept: list[Tidy] = []
    first: dict[bytes, int] = {}
    for tidy in rows:
        repeated = in_test.get(tidy.form)
        if repeated is not None:
            drops.add(_repeat(tidy, "in_test_file", repeated))
            continue
        place = first.setdefault(tidy.form, len(kept))
        if place == len(kept):
            kept.append(tidy)
            continue
        earlier = kept[place]
        same = earlier.row.label == tidy.row.label
        drops.add(_repeat(tidy, "duplicate" if same else "duplicate_other_label", [earlier]))
    return kept


def drop_near(
    tests: Sequence[Tidy], rows: Sequence[Tidy], similarity: float, drops: Drops, progress: Progress
) -> list[Tidy]:
    """Keep the rows that are no near-duplicates of a test row or of an earlier kept row.

    Args:
        tests: Rows of the user's test file.
        rows: Rows of the training file without exact repeats, in order.
        similarity: Jaccard similarity of character 5-grams from which a row is a near-duplicate.
        drops: Takes the others.
        progress: Shows the two passes.
    """
    everyone = [*tests, *rows]
    total = len(everyone)
    texts = [tidy.row.text for tidy in everyone]
    index = NearDuplicates(texts, similarity, lambda done: progress.at(done, total, "rows sketched"))
    for place in range(len(tests)):
        index.enter(place)
    kept: list[Tidy] = []
    for place in range(len(tests), total):
        if place % _TICK_ROWS == 0:
            progress.at(place, total, "rows compared")
        near = index.of(place)
        in_test = [everyone[i] for i in near if i < len(tests)]
        if in_test:
            drops.add(_repeat(everyone[place], "near_test_file", in_test))
        elif near:
            drops.add(_repeat(everyone[place], "near_duplicate", [everyone[near[0]]]))
        else:
            index.enter(place)
            kept.append(everyone[place])
    return kept


def _repeat(tidy: Tidy, reason: str, of: Sequence[Tidy]) -> Dropped:
    other = of[0].row
    if tidy.came == "audit":
        reason = "audited_before"
    elif tidy.came == "feedback" and other.split != "train":
        reason = "feedback_on_dev_or_test"
    label = str(other.label)
    named = label if len(label) <= _LABEL_CHARS else "otherwise"
    relabelled = "" if other.label == tidy.row.label else f" (labelled {named})"
    origins = tuple(repeated.row.origin for repeated in of)
    return Dropped(tidy.row.origin, reason, f"of {other.origin}{relabelled}", str(tidy.row.label), origins)


@dataclass(frozen=True, slots=True)
class Dropped:
    """One per dropped row.

    Attributes:
        detail: What a person needs to see why, such as `of tickets.jsonl:17`.
        of: Origins of the rows it repeats; where it repeats test rows, of all of these.
        split: `test` for a row of the user's test file; None for a row that had no split yet.
    """

    origin: str
    reason: str
    detail: str
    label: str
    of: tuple[str, ...] = ()
    split: Split | None = None


@dataclass
class Drops:
    """One per curation: every dropped row, in the order in which rows were dropped.

    Attributes:
        reasons: All reasons that may occur, those of the task included.
    """

    reasons: Mapping[str, str] = field(default_factory=lambda: REASONS)
    rows: list[Dropped] = field(default_factory=list)

    @classmethod
    def of(cls, own: Mapping[str, str]) -> Drops:
        """An empty one that knows a task's own reasons too."""
        first, rest = list(REASONS)[:_BEFORE_OWN], list(REASONS)[_BEFORE_OWN:]
        return cls({**{r: REASONS[r] for r in first}, **own, **{r: REASONS[r] for r in rest}})

    def add(self, dropped: Dropped) -> None:
        """Count a dropped row."""
        if dropped.reason not in self.reasons:
            raise ValueError(f"unknown reason {dropped.reason}; expected one of {', '.join(self.reasons)}")
        self.rows.append(dropped)

    def counts(self) -> dict[str, int]:
        """Reason → rows, reasons that occurred, in the order in which a row meets them."""
        counts = Counter(row.reason for row in self.rows)
        return {reason: counts[reason] for reason in self.reasons if counts[reason]}

    def examples(self) -> tuple[DroppedExample, ...]:
        """The first five of each reason."""
        shown: dict[str, list[DroppedExample]] = {reason: [] for reason in self.reasons}
        for row in self.rows:
            if len(shown[row.reason]) < _EXAMPLES:
                shown[row.reason].append(DroppedExample(origin=row.origin, reason=row.reason, detail=row.detail))
        return tuple(example for examples in shown.values() for example in examples)

    def leaked_test_rows(self) -> int:
        """Distinct rows of the user's test file that were (nearly) in the training file too."""
        leaks = ("in_test_file", "near_test_file")
        return len({origin for row in self.rows if row.reason in leaks for origin in row.of})

    def as_json(self) -> Iterator[dict[str, Any]]:
        """The lines of dropped.jsonl."""
        for row in self.rows:
            yield {
                "origin": row.origin,
                "reason": row.reason,
                "detail": row.detail,
                "label": row.label,
                "split": row.split,
                "of": list(row.of),
            }
