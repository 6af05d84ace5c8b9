"""What a version that replaced another is compared with: the rows of the week before it answered, as it answers them.

Its held-out rows are mostly of before that week. What it was made anew for, another mix of classes or a class that is
new, would alarm again as soon as it answers. That it does know these rows is checked: where more of them are strange,
far off and answered with doubt, than of its held-out rows, something is asked that it has not learnt, and that stays an
alarm.

On the shipped tickets, of which a quarter is about a launch in month five: evidence that rows are strange is 10^74
alarms for a version without labels of the launch, and 0.04 at most for four with 15 to 135 of them.

Limit: rows count as often as they were asked, as in the windows. A client that asks a few texts over and over in that
week makes a reference of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tailtune.core.days import DAY_US
from tailtune.core.monitored import STRANGENESS, Sample
from tailtune.judge import drift
from tailtune.judge.words import WordCounts
from tailtune.lifecycle import reference
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.reference import ReferenceRow
from tailtune.operations.reference import folder_of, traffic_file
from tailtune.operations.sample import about_text, sample_of
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.tasks.answerer import Answerer

LEAST_ROWS = 300
"""Rows of the week below which a version is compared with its held-out rows: few rows hide what moves later."""
_DAYS = 7
_LEAST_TEXTS = 3
"""Texts that must have a word, for it to be kept: rarer ones are names and numbers."""
_COLUMNS = ("text", "slices", "version", "route")


def make_traffic(context: Context, version: Version, held_out: Sample, log: PredictionLog, first_day: int) -> bool:
    """Answer the rows that other versions were asked in the week before, and keep them beside the version's model.

    Args:
        context: Of the look.
        version: The version; nobody has looked at it yet.
        held_out: What it answered to held-out rows.
        log: Where rows are.
        first_day: The first day on which it answered, days since 1970-01-01 (UTC).

    Returns:
        Whether there are enough such rows, and the version knows them.

    Raises:
        ServiceError: The tracking store or the prediction log does not answer.
    """
    if STRANGENESS not in held_out.numbers:  # then nobody can tell whether it knows these rows
        return False
    requests = _requests_before(context, version, log, first_day)
    if len(requests) < LEAST_ROWS:
        return False
    answerer = Answerer(folder_of(context, version), version.version)
    if not answerer.local:  # answers of a language model cost money
        return False
    doing = "answering what was asked in the week before"
    answered = reference.describe_texts(answerer, requests, lambda done, of: context.progress.at(done, of, doing))
    if not is_known(held_out, sample_of([row.logged for row in answered], context.case.task)):
        return False
    file = traffic_file(context, version)
    words = WordCounts.in_texts(text for text, _ in requests).of
    frequent = {word: texts for word, texts in words.items() if texts >= _LEAST_TEXTS}
    reference.write(file, [_without_text(row) for row in answered], frequent)
    registry.keep_reference(context.tracker, version, file, registry.TRAFFIC)
    return True


def is_known(held_out: Sample, traffic: Sample) -> bool:
    """Whether what is asked is no stranger to a version than its held-out rows; not where that was not measured."""
    if any(STRANGENESS not in sample.numbers for sample in (held_out, traffic)):
        return False
    known = drift.Reference.of(_strange(held_out))
    return not drift.look(known, [drift.count(known, _strange(traffic), 0, [])]).alarm


def _without_text(row: ReferenceRow) -> ReferenceRow:
    """A row without its text: the log deletes its rows after some time, and what is kept with a version stays."""
    return replace(row, logged={**row.logged, **about_text(row.logged), "text": None})


def _strange(sample: Sample) -> Sample:
    return Sample(sample.rows, {STRANGENESS: sample.numbers[STRANGENESS]}, {})


def _requests_before(
    context: Context, version: Version, log: PredictionLog, first_day: int
) -> Sequence[tuple[str, dict[str, str]]]:
    """Texts with their slices; of more than a reference has, so many drawn by chance."""
    name = context.case.name
    day_us = first_day * DAY_US
    own = log.rows(name, since_us=day_us, columns=("at_us",), version=version.version, batch_rows=1)
    first_us = int(next(own)["at_us"])
    since_us = first_us - _DAYS * DAY_US
    total = sum(each.rows for each in log.days(name, since_us, first_us))
    every = max(1, math.ceil(total / reference.MOST_ROWS))
    rows = log.rows(name, since_us=since_us, until_us=first_us, columns=_COLUMNS, every=every)
    return [(row["text"], row["slices"] or {}) for row in rows if _is_of_another(row, version)]


def _is_of_another(row: dict[str, Any], version: Version) -> bool:
    return bool(row["text"]) and row["route"] != "shadow" and row["version"] not in (None, version.version)
