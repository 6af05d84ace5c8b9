"""Where an extractor errs: field by field, fields mixed up with each other, and how sure it was."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tailtune.core.records import Answer
from tailtune.core.reports import CalibrationBin, Confusion, FieldResult
from tailtune.judge import scores
from tailtune.judge.stats import wilson
from tailtune.tasks.extraction.annotations import Annotation, Values, canonical
from tailtune.tasks.extraction.schema import FieldSpec, ObjectSchema
from tailtune.tasks.extraction.score_rules import Rules, items
from tailtune.tasks.extraction.tally import Tally, answered_values

_MOST_ANSWERS = 200_000  # field answers that a calibration is drawn from


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
    hits, given, wanted = (int(part[:, j].sum()) for part in (counted.hits, counted.given, counted.wanted))
    return FieldResult(
        label=spec.name,
        kind=spec.kind,
        rows=int((counted.wanted[:, j] > 0).sum()),
        precision=_share(hits, given),
        recall=_share(hits, wanted),
        f1=_share(2 * hits, given + wanted),
        f1_other=math.nan if other is None else _f1(other, j),
        exact=wilson(int(right.sum()), len(right)),
        format_correct=_share(int(counted.formed[:, j].sum()), given),
        value_correct=_share(int(counted.meant[:, j].sum()), given),
    )


def _f1(counted: Tally, j: int) -> float:
    return _share(2 * int(counted.hits[:, j].sum()), int(counted.given[:, j].sum() + counted.wanted[:, j].sum()))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def calibration(counted: Tally, bins: int, seed: int = 17) -> tuple[CalibrationBin, ...]:
    """Answers of fields (null included) in bins of equal mass by confidence; `accuracy` is the share that is right.

    Answers without a confidence are left out; empty when there is none at all. Of more than 200,000 answers a random
    sample of that size is taken.
    """
    sure, right = counted.confidence.ravel(), counted.right.ravel()
    told = np.flatnonzero(~np.isnan(sure))
    if not told.size:
        return ()
    if told.size > _MOST_ANSWERS:
        told = np.sort(np.random.default_rng(seed).choice(told, _MOST_ANSWERS, replace=False))
    return scores.calibration(sure[told].astype(np.float64), right[told], bins)


def confusions(
    schema: ObjectSchema,
    expected: Sequence[Annotation],
    answers: Sequence[Answer],
    counted: Tally,
    rules: Rules,
    most: int = 25,
) -> tuple[Confusion, ...]:
    """What was mixed up, most rows first.

    Two sorts: a value wrongly given for one field is what another field of the same kind should hold (`report_date`
    expected, `loss_date` answered); and the wrong choice of an enum or a yes / no (`peril=hail`, `peril=(none)`).
    """
    pairs: Counter[tuple[str, str]] = Counter()
    kinds: dict[str, list[FieldSpec]] = {}
    for spec in schema.spanned:
        kinds.setdefault(spec.kind, []).append(spec)
    for i, j in zip(*np.nonzero(~counted.right & counted.objects[:, None]), strict=True):
        spec, gold, given = schema.fields[j], expected[i].values, answered_values(answers[i]) or {}
        if spec.spanned:
            pairs.update(set(_misplaced(rules, spec, kinds[spec.kind], given.get(spec.name), gold)))
        else:
            pairs[_choice(spec.name, gold), _choice(spec.name, given)] += 1
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(Confusion(expected=wanted, answered=found, rows=n) for (wanted, found), n in ranked)


def _misplaced(
    rules: Rules, spec: FieldSpec, rivals: Sequence[FieldSpec], answered: Any, gold: Values
) -> Iterator[tuple[str, str]]:
    """(field that should hold it, field that was given it) for each wrong item of a field."""
    own = items(gold.get(spec.name))
    for item in items(answered):
        if any(rules.same(spec, item, wanted) for wanted in own):
            continue
        for rival in rivals:
            if rival is not spec and any(rules.same(rival, item, wanted) for wanted in items(gold.get(rival.name))):
                yield rival.name, spec.name


def _choice(name: str, values: Values) -> str:
    value = values.get(name)
    if value is None:
        return f"{name}=(none)"
    return f"{name}={value}" if isinstance(value, str) else f"{name}={canonical(value)}"
