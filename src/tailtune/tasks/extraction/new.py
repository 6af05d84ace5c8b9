"""A new extraction use case, from a file with spans or field values, and a schema or none."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from tailtune.config.model import PII
from tailtune.core.errors import DataError, Fault, UsageError
from tailtune.core.records import Span
from tailtune.predictors.prepare.scrub import scrub
from tailtune.services import sources
from tailtune.services.sources import Columns, RawRow
from tailtune.tasks.columns import command, file_notes, refuse_missing
from tailtune.tasks.declare import Declaration, NewUseCase, model_yaml, prompt_texts
from tailtune.tasks.extraction import annotate, offsets
from tailtune.tasks.extraction.annotate import ENTITIES, FIELDS, INTENT, RawLabel, columns_of, reader
from tailtune.tasks.extraction.config import ExtractionData
from tailtune.tasks.extraction.gate import FieldCheck
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema, schema_from
from tailtune.tasks.extraction.values import propose_schema
from tailtune.tasks.label_check import look_alike_lines

_LOOKED_AT = 5000  # rows that are aligned to tell how well that goes
_SHOWN = 6
_Rows = Callable[[], Iterator[RawRow[RawLabel]]]  # opens the file of labelled rows
_Checked = tuple[int, list[Counter[str]], Sequence[str]]
_FEW = 12  # rows; of these about 8 are train rows, the least that the gate takes

_SYSTEM = """\
You read facts from a text into one JSON object.{about}

Fields:
{{% for field in fields %}}
- {{{{ field.name }}}} ({{{{ field.form }}}}){{{{ ": " ~ field.description if field.description else "" }}}}
{{% endfor %}}

Rules:
- Give every field, in this order, in the form that stands beside it.
- Give only what the text says. If it does not say a field's value, give null, or [] for a list; never guess.
- If two values fit a field, take the one that its description asks for; if the text corrects itself, the corrected one.
- Copy names as they are written, without titles or words around them.
- Reckon relative dates ("yesterday") from the day on which the text was written or the report was made.
{rules}
{form}"""
_FORM = "- Reply with the JSON object and nothing else."
_REASONED_FORM = """\
- Reply with one JSON object and nothing else. Its first field is reasoning: two short sentences on what the text
  reports and which values need care. Then come the fields."""


def declare(new: NewUseCase) -> Declaration:
    """Read the files, take or propose a schema, and write down what the use case is.

    Raises:
        UsageError: A column or file was named that this task has none of, or no column with labels is there.
        SpecError: The given schema cannot be used; every fault with its line.
        DataError: The files cannot be used as they are; every fault with its line.
    """
    if new.label is not None:
        raise UsageError(
            "--label: an extraction has spans (--entities), field values (--fields) or an intent (--intent)",
            shlex.join(["tailtune", "new", new.name, "--task", "extraction", "--from", str(new.source)]),
        )
    named = _columns(new)
    refuse_missing(new, "extraction", {"text": new.text, "group": new.group, **named})
    entities, fields, intent = map(named.get, (ENTITIES, FIELDS, INTENT))
    data = ExtractionData(
        file=new.source.name, text=new.text, group=new.group, entities=entities, fields=fields, intent=intent
    )
    columns = Columns(data.text, columns_of(data), reader(data), data.group)
    unit: offsets.FileUnit = "characters"
    if data.entities is not None:  # without spans there are no offsets, and no need to read the file for them
        unit = offsets.file_unit(sources.read(new.source, columns, str(new.source)))

    def rows() -> Iterator[RawRow[RawLabel]]:
        return offsets.with_units(sources.read(new.source, columns, str(new.source)), unit)

    text, schema = _schema(new, rows, columns, unit)
    number, by_file, rejected = _check_rows(new, columns, schema)
    return Declaration(
        model_yaml(new, "extraction", named, _sections(rows, schema)),
        text,
        number,
        len(schema.fields),
        [*_notes(new, rows, schema, unit, by_file), *rejected],
    )


def _columns(new: NewUseCase) -> dict[str, str]:
    """The columns of labels: those that were named, else those that have the usual names."""
    columns_named = {ENTITIES: new.entities, FIELDS: new.fields, INTENT: new.intent}
    named = {key: column for key, column in columns_named.items() if column is not None}
    if not named:
        there = sources.peek(new.source)
        named = {key: key for key in columns_named if key in there}
        if not named:
            raise UsageError(
                f"{new.source}: no column {ENTITIES}, {FIELDS} or {INTENT}; it has {', '.join(there)}",
                command(new, "extraction", ("text", ENTITIES, FIELDS), {"text": new.text} if new.text in there else {}),
            )
    return named


def _schema(
    new: NewUseCase, rows: _Rows, columns: Columns[RawLabel], unit: offsets.FileUnit
) -> tuple[str, ObjectSchema]:
    """The schema as text and as read."""
    if new.schema is not None:
        hint = "correct the schema, then run the same command again"
        schema = load_schema(new.schema, str(new.schema), hint)
        return new.schema.read_text(encoding="utf-8"), schema

    def labelled_rows() -> Iterator[tuple[str, tuple[Span, ...], dict[str, Any] | None, str | None]]:
        for row in chain(rows(), _test_rows(new, columns)):
            if row.label.unit != "unclear":
                yield row.text, annotate.spans_of(row), row.label.values, row.label.intent

    document = {"title": new.name, **propose_schema(labelled_rows())}
    if not document["properties"]:
        why = offsets.NOTES.get(unit, "no row has a span, a field value or an intent; expected labelled rows")
        raise DataError([Fault(str(new.source), f"no field can be proposed: {why}")], "label rows, or bring --schema")
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n", schema_from(document)


def _test_rows(new: NewUseCase, columns: Columns[RawLabel]) -> Iterator[RawRow[RawLabel]]:
    """Rows of the test file, whose fields belong into a proposed schema too; none without one."""
    test = new.test
    return iter(()) if test is None else offsets.resolve(lambda: sources.read(test, columns, str(test)))


def _check_rows(new: NewUseCase, columns: Columns[RawLabel], schema: ObjectSchema) -> _Checked:
    """Read every row of both files and check its fields against the schema.

    Returns:
        The number of rows; of each file, field → rows; notes on the files.

    Raises:
        DataError: Fields or enum values that the schema does not know, or files that cannot be read; all at once.
    """
    rows = 0
    seen: list[Counter[str]] = []
    left_out: list[str] = []
    faults: list[Fault] = []
    declared = "the proposed schema" if new.schema is None else str(new.schema)
    for file in filter(None, (new.source, new.test)):
        check, rejected = FieldCheck(schema, declared, str(file.parent)), Counter[str]()
        for row in sources.read(file, columns, str(file), rejected=rejected):
            check.add(row.label, row.origin)
            rows += 1
        seen.append(Counter(check.seen))
        left_out.append(sources.rejected_rows(rejected))
        faults += check.faults()
    if faults:
        raise DataError(faults[:20], "correct the rows or the schema, then run the same command again")
    return rows, seen, file_notes(new, *left_out)


def _sections(rows: _Rows, schema: ObjectSchema) -> dict[str, list[str]]:
    read_kinds = {str(field.kind) for field in schema.fields} | _labelled_pii(rows)
    scrubbed = [kind for kind in PII if kind not in read_kinds]
    return {
        "curate": [f"scrub_pii: [{', '.join(scrubbed)}]"],
        "split": ["dev_share: 0.1"],
        "validate": ["min_rows_per_field: 8"],
        "ladder": [],
        "prompt": [],
        "targets": ["field_f1: 0.95"],
        "value": [],
        "train": ["when: auto"],
        "evaluate": [],
        "register": [],
    }


def _labelled_pii(rows: _Rows) -> set[str]:
    """Kinds of personal data that stand in labelled values: scrubbed, they would be learnt as `<email>`."""
    found: set[str] = set()
    for row in islice(rows(), _LOOKED_AT):
        label = row.label
        written = [span.of(row.text) for span in annotate.spans_of(row)] + [
            str(value) for value in (label.values or {}).values()
        ]
        for value in written:
            found.update(scrub(value, PII)[1])
    return found


def _notes(
    new: NewUseCase, rows: _Rows, schema: ObjectSchema, unit: offsets.FileUnit, by_file: Sequence[Counter[str]]
) -> Iterator[str]:
    """What a person wants to know before the first run: the fields, values without a place, rows of no use."""
    only_test = {name: count for name, count in by_file[-1].items() if name not in by_file[0]}
    kind = "as given" if new.schema is not None else "proposed from the data; read it, it decides what is valid"
    yield f"{len(schema.fields)} fields, {len(schema.spanned)} of them stand in the text; {kind}"
    if unit != "characters":
        yield offsets.NOTES[unit]
    if only_test:
        yield f"only test rows have {_most(only_test)}: label train rows, or allow it: validate.min_rows_per_field: 0"
    yield from look_alike_lines(sum(by_file, Counter()), "field", "")
    looked = wanted_values = 0
    choices = {field.name: Counter[str]() for field in schema.fields if field.choices}
    unusable: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    homeless: Counter[str] = Counter()
    names = {field.name for field in schema.spanned}
    for row in islice(rows(), _LOOKED_AT):
        looked += 1
        made = annotate.prepare_row(schema, row, (), ())
        if made.reason:
            # Of a bad value the detail begins with its field: one field that fails in many rows is worth a look.
            field = made.detail.partition(":")[0] if made.reason == "bad_value" else ""
            unusable[f"{made.reason} {field}".strip()] += 1
            continue
        seen.update(list(made.label.values))
        for name, counts in choices.items():
            value = made.label.values.get(name, ())
            counts.update([value] if isinstance(value, str) else value)
        wanted_values += len(names.intersection(row.label.names))
        homeless.update(annotate.unaligned(schema, made.label))
    for name, counts in choices.items():
        yield from look_alike_lines(counts, f"`{name}` value", "")
    of_rows = f"of the first {looked:,} rows" if looked == _LOOKED_AT else f"of {looked:,} rows"
    if homeless:
        values = f"{homeless.total():,} of {wanted_values:,} values {of_rows}"
        yield f"{values} are not found in their text: {_most(homeless)}"
    if unusable:
        yield f"{unusable.total():,} {of_rows} cannot be used: {_most(unusable)}"
    rare = {name: seen[name] for name in schema.names if seen[name] < _FEW and name not in only_test}
    if rare and looked >= _FEW:
        yield f"few rows {of_rows.removeprefix('of ')} have these, and the gate asks for more: {_most(rare)}"


def _most(counts: Mapping[str, int]) -> str:
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = len(ranked) - _SHOWN
    return ", ".join(f"{name} {n:,}" for name, n in ranked[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def starting_prompts(description: str) -> Mapping[str, str]:
    """Prompts that list the fields: name → text of the file.

    Args:
        description: What the use case is for; may be empty.
    """
    return prompt_texts(_SYSTEM, description, _FORM, _REASONED_FORM)
