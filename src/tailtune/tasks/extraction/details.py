"""Where an extractor errs: field by field, fields mixed up with each other, and a wrong row marked up for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer, Row, Span
from tailtune.core.reports import Confusion, FieldResult
from tailtune.judge.shares import share_of
from tailtune.tasks.base import Details
from tailtune.tasks.extraction.annotations import Annotation, Extraction, Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.scoring import Rules, Tally, answered_values, calibration, compared, items, tally


def details(
    schema: ObjectSchema,
    expected: Sequence[Annotation],
    answers: Sequence[Answer],
    other: Sequence[Answer] | None,
    bins: int,
) -> Details:
    """Results by field, beside those of another candidate on the same rows; None without one."""
    rules = Rules.of(schema)
    counted = tally(schema, expected, answers, rules)
    beside = None if other is None else tally(schema, expected, other, rules)
    return Details(
        per_field=per_field(schema, counted, beside),
        confusions=confusions(schema, expected, answers, counted, rules),
        calibration=calibration(counted, bins),
    )


def per_field(schema: ObjectSchema, counted: Tally, other: Tally | None) -> tuple[FieldResult, ...]:
    """Precision, recall, F1 and more of every field, worst F1 first; fields nothing counts towards last.

    Args:
        schema: The fields.
        counted: Of the winner.
        other: Of the candidate that did not win, on the same rows; None without one.
    """
    right = counted.right
    results = [_field(spec, j, counted, other, right[:, j]) for j, spec in enumerate(schema.fields)]
    return tuple(sorted(results, key=lambda item: (math.isnan(item.f1), item.f1, item.label)))


def _field(spec: FieldSpec, j: int, counted: Tally, other: Tally | None, right: NDArray[np.bool_]) -> FieldResult:
    hits, answered, expected = (int(n[:, j].sum()) for n in (counted.hits, counted.answered, counted.expected))
    return FieldResult(
        label=spec.name,
        kind=spec.kind,
        rows=int((counted.expected[:, j] > 0).sum()),
        precision=_share(hits, answered),
        recall=_share(hits, expected),
        f1=_share(2 * hits, answered + expected),
        f1_other=math.nan if other is None else _f1(other, j),
        exact=share_of(int(right.sum()), len(right)),
        format_correct=_share(int(counted.formed[:, j].sum()), answered),
        value_correct=_share(int(counted.meant[:, j].sum()), answered),
    )


def _f1(counted: Tally, j: int) -> float:
    return _share(2 * int(counted.hits[:, j].sum()), int(counted.answered[:, j].sum() + counted.expected[:, j].sum()))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def confusions(
    schema: ObjectSchema,
    expected: Sequence[Annotation],
    answers: Sequence[Answer],
    counted: Tally,
    rules: Rules,
    most: int = 25,
) -> tuple[Confusion, ...]:
    """What was mixed up, most rows first.

    Two sorts: a value wrongly answered for one field is what another field of the same kind should hold (`report_date`
    expected, `loss_date` answered); and the wrong choice of an enum or a yes / no (`peril=hail`, `peril=(none)`).
    """
    pairs: Counter[tuple[str, str]] = Counter()
    kinds: dict[str, list[FieldSpec]] = {}
    for spec in schema.spanned:
        kinds.setdefault(spec.kind, []).append(spec)
    for i, j in zip(*np.nonzero(~counted.right & counted.objects[:, None]), strict=True):
        spec, gold, named = schema.fields[j], expected[i].values, answered_values(answers[i]) or {}
        if spec.spanned:
            pairs.update(set(_misplaced(rules, spec, kinds[spec.kind], named.get(spec.name), gold)))
        else:
            pairs[_choice(spec.name, gold), _choice(spec.name, named)] += 1
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(Confusion(expected=should, answered=did, rows=n) for (should, did), n in ranked)


def _misplaced(
    rules: Rules, spec: FieldSpec, rivals: Sequence[FieldSpec], answered: Any, gold: Values
) -> Iterator[tuple[str, str]]:
    """(field that should hold it, field that got it) for each wrong item of a field."""
    own = items(gold.get(spec.name))
    for item in items(answered):
        if any(rules.same(spec, item, gold_item) for gold_item in own):
            continue
        for rival in rivals:
            if rival is not spec and any(
                rules.same(rival, item, gold_item) for gold_item in items(gold.get(rival.name))
            ):
                yield rival.name, spec.name


def _choice(name: str, values: Values) -> str:
    value = values.get(name)
    if value is None:
        return f"{name}=(none)"
    return f"{name}={value}" if isinstance(value, str) else f"{name}={canonical(value)}"


def marked(text: str, expected: Sequence[Span], answered: Sequence[Span]) -> str:
    """Mark up a text.

    Args:
        text: What was answered.
        expected: Gold spans, within the text.
        answered: The predictor's spans, within the text.

    Returns:
        The text with brackets around every stretch: `⟦✓ loss_date: 4 May⟧` right, `⟦✗ loss_date: 4 May⟧` nothing is
        expected there, `⟦missed loss_date: 4 May⟧` not answered, `⟦✗ loss_date, expected report_date: 4 May⟧` another
        field. Stretches that overlap are shown as one, each with its own words: `⟦✗ loss_date "4 May", expected
        loss_date "4 May 2026": 4 May 2026⟧`.
    """
    pieces, at = [], 0
    for start, end, gold, found in _stretches(expected, answered):
        pieces += [text[at:start], f"⟦{_verdict(text, start, end, gold, found)}: {text[start:end]}⟧"]
        at = end
    return "".join([*pieces, text[at:]])


def _stretches(
    expected: Sequence[Span], answered: Sequence[Span]
) -> Iterator[tuple[int, int, frozenset[Span], frozenset[Span]]]:
    """Spans that overlap, together: start, end, expected ones, answered ones."""
    gold, found = frozenset(expected), frozenset(answered)
    group: list[Span] = []
    end = 0
    for span in chain(sorted(gold | found), (None,)):
        if group and (span is None or span.start >= end):
            yield group[0].start, end, gold.intersection(group), found.intersection(group)
            group, end = [], 0
        if span is not None:
            group.append(span)
            end = max(end, span.end)


def _verdict(text: str, start: int, end: int, gold: frozenset[Span], found: frozenset[Span]) -> str:
    """What is right, wrong and missed of a stretch, in a few words."""

    def named(spans: frozenset[Span]) -> str:
        return " and ".join(
            span.label if (span.start, span.end) == (start, end) else f'{span.label} "{span.of(text)}"'
            for span in sorted(spans)
        )

    words = [f"✓ {named(gold & found)}"] if gold & found else []
    wrong, missed = found - gold, gold - found
    if wrong:
        words.append(f"✗ {named(wrong)}")
    if missed:
        words.append(f"{'expected' if wrong else 'missed'} {named(missed)}")
    return ", ".join(words)


def failure(schema: ObjectSchema, row: Row[Annotation], answer: Answer, others: Mapping[str, Answer]) -> dict[str, Any]:
    """A line of failures.jsonl.

    Args:
        schema: The fields.
        row: The row.
        answer: The winner's answer.
        others: Other predictor → its answer.

    Returns:
        Origin, text, `wrong` (field → expected, answered, confidence, the reason for null, what others answered; also
        what means the right thing and is badly written, and properties that the schema does not know) and the text
        marked up where both know places.
    """
    expected = row.label
    answered, rules = answered_values(answer) or {}, Rules.of(schema)
    beside = {name: answered_values(other) or {} for name, other in others.items()}
    extraction = answer if isinstance(answer, Extraction) else None
    wrong = {}
    for field in schema.fields:
        gold, value = expected.values.get(field.name), answered.get(field.name)
        cell = compared(rules, field, value, gold)
        if cell.hits == cell.answered == cell.expected:
            continue
        facts: dict[str, Any] = {"expected": gold, "answered": value}
        if extraction is not None:
            sure, why = extraction.confidences.get(field.name), extraction.reasons.get(field.name)
            facts |= {} if sure is None else {"confidence": round(sure, 4)}
            facts |= {"reason": why} if why else {}
        wrong[field.name] = facts | {f"{name}_answered": values.get(field.name) for name, values in beside.items()}
    known = frozenset(schema.names)
    wrong |= {name: {"expected": None, "answered": value} for name, value in answered.items() if name not in known}
    spans = () if extraction is None else extraction.spans
    return {
        "origin": row.origin,
        "text": row.text,
        "wrong": wrong,
        "marked": marked(row.text, expected.spans, spans) if expected.spans or spans else row.text,
    }
