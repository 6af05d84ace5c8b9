"""Classes that nobody has labelled yet: groups of logged texts unlike any known one, for a person to accept.

log ── what a version answered ──▶ predictors.unseen ──▶ Proposals ──▶ a file for a person (lifecycle.proposed_file)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tailtune.core.days import DAY_US
from tailtune.core.errors import UsageError
from tailtune.core.proposals import Proposals, ProposedClass
from tailtune.judge.words import WordCounts, moved_words
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.new_classes import expect_classes
from tailtune.operations.reference import reference_of
from tailtune.predictors.base import Floats
from tailtune.predictors.unseen import FEWEST, unlike_groups
from tailtune.services.corrections import read_corrections
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version
from tailtune.services.near_duplicates import normal
from tailtune.services.prediction_log.opening import opened
from tailtune.services.prediction_log.store import PredictionLog

DAYS = 28
"""Newest days that are looked at, the one that is not over included."""
_MOST_TEXTS = 10_000
_CLEAR, _PRIOR_TEXTS = 2.0, 10.0
"""Of words that tell a group: it is small, and a person judges them."""
_NAME_WORDS, _SHOWN_WORDS, _SHOWN_ANSWERS = 2, 6, 3


def propose(context: Context, which: str, days: int, now_us: int) -> Proposals:
    """Look for new classes among what a version answered of late.

    Args:
        context: The use case, its settings, its tracker.
        which: Alias or number of the version.
        days: Newest days, the one that is not over included.
        now_us: Microseconds since 1970 (UTC).

    Raises:
        UsageError: Answers of the use case are no labels, there is no such version, or it answered no text that was
            kept.
        MissingInputError: The version has no reference, and none can be made here.
        ServiceError: The tracking store or the prediction log does not answer.
    """
    case = context.case
    expect_classes(case)
    version = registry.get(context.tracker, case.model, which)
    with opened(context.project, context.settings, case.name) as log:
        if log is None:
            raise UsageError(f"{case.name}: nothing is logged yet", f"tailtune serve {case.name}")
        made = proposals_of(context, version, log, days, now_us)
    if not made.rows:
        raise UsageError(
            f"{version.uri} answered no row of the last {days} days whose text was kept "
            f"({made.without_text:,} without one; serve.log.text is {case.spec.serve.log.text})",
            f"tailtune log {case.name}   (says who answered when)",
        )
    return made


def proposals_of(context: Context, version: Version, log: PredictionLog, days: int, now_us: int) -> Proposals:
    """As `propose`, of a log that is open; without rows where no text was kept."""
    today = now_us // DAY_US
    first = today - days + 1
    logged, without_text = _logged(log, context.case.name, version.version, first * DAY_US)
    by_people, accepted = _labelled(context)
    open_ones = [each for each in logged if each.form not in by_people and each.form not in accepted]
    rows = sum(each.rows for each in logged)
    return Proposals(
        use_case=context.case.name,
        version=version.version,
        first_day=first,
        last_day=today,
        rows=rows,
        without_text=without_text,
        labelled=rows - sum(each.rows for each in open_ones),
        classes=_classes(context, version, open_ones, [each for each in logged if each.form in accepted], rows),
    )


@dataclass(frozen=True)
class LoggedText:
    """One per text that was asked about, in whatever spelling.

    Attributes:
        text: As logged.
        form: Its normal form.
        answers: What was answered, each time.
        embedding: The version's own, float16 values; None where it has none.
    """

    text: str
    form: str
    answers: list[str]
    embedding: bytes | None

    @property
    def rows(self) -> int:
        """How often it was asked."""
        return len(self.answers)


def _logged(log: PredictionLog, use_case: str, version: str, since_us: int) -> tuple[list[LoggedText], int]:
    """Different texts that the version answered, the newest counting where there are too many, and rows without."""
    texts: dict[str, LoggedText] = {}
    without_text = 0
    columns = ("text", "answer", "embedding")
    for row in log.rows(use_case, since_us=since_us, columns=columns, version=version, route="model"):
        if not row["text"]:
            without_text += 1
            continue
        form = normal(row["text"])
        before = texts.pop(form, None) or LoggedText(row["text"], form, [], row["embedding"])
        before.answers.append(row["answer"] or "")
        texts[form] = before
        if len(texts) > _MOST_TEXTS:
            del texts[next(iter(texts))]
    return list(texts.values()), without_text


def _labelled(context: Context) -> tuple[set[str], set[str]]:
    """Normal forms of texts that people labelled already, and of those that they accepted as a proposed class."""
    paths, hint = context.paths, f"tailtune check {context.case.name}"

    def forms(*files: Any) -> set[str]:
        kept = [each for file in files for each in read_corrections(file, context.project.shown(file), hint)]
        return {normal(each.text) for each in kept}

    return forms(paths.feedback, paths.audits), forms(paths.proposed)


def _classes(
    context: Context, version: Version, open_ones: Sequence[LoggedText], accepted: Sequence[LoggedText], rows: int
) -> tuple[ProposedClass, ...]:
    if len(open_ones) < FEWEST:
        return ()
    known = [each for each in reference_of(context, version).rows if each.logged["text"]]
    texts = [each.logged["text"] for each in known]
    vectors = _vectors(
        [(each.logged["text"], each.logged["embedding"]) for each in known]
        + [(each.text, each.embedding) for each in (*accepted, *open_ones)]
    )
    ends = np.cumsum([len(known), len(accepted)])
    of_known, of_accepted, of_open = np.split(vectors, ends)
    labels = [*(each.label for each in known), *("accepted" for _ in accepted)]
    groups = unlike_groups(np.concatenate([of_known, of_accepted]), labels, of_open)
    made = [_class([open_ones[place] for place in group], texts, rows) for group in groups]
    return tuple(_with_own_names(sorted(made, key=lambda each: -each.rows)))


def _vectors(texts: Sequence[tuple[str, bytes | None]]) -> Floats:
    """The version's own vectors; of one that has none, those of the encoder that is embedded."""
    kept = [vector for _, vector in texts if vector]
    if len(kept) == len(texts) and len({len(each) for each in kept}) == 1:
        return np.frombuffer(b"".join(kept), np.float16).reshape(len(kept), -1).astype(np.float32)
    from tailtune.predictors.encoder import Encoder

    return Encoder.load().embed([text for text, _ in texts])


def _class(group: Sequence[LoggedText], known: Sequence[str], rows: int) -> ProposedClass:
    texts = [each.text for each in group]
    counts = WordCounts.in_texts(known), WordCounts.in_texts(texts)
    words = [word for word in moved_words(*counts, 40, _CLEAR, _PRIOR_TEXTS) if word.more]
    answers = Counter(answer for each in group for answer in each.answers if answer)
    own = sum(each.rows for each in group)
    return ProposedClass(
        name=_name(word.word for word in words),
        rows=own,
        share=own / rows,
        words=tuple(words[:_SHOWN_WORDS]),
        answers=tuple((answer, count / own) for answer, count in answers.most_common(_SHOWN_ANSWERS)),
        texts=tuple(texts),
    )


def _name(words: Iterable[str]) -> str:
    plain = [re.sub(r"\W+", "_", word).strip("_") for word in words if not word.startswith("<")]
    return "_".join(plain[:_NAME_WORDS]) or "new_class"


def _with_own_names(classes: Iterable[ProposedClass]) -> Iterable[ProposedClass]:
    """The same, with a number behind a name that an earlier one has."""
    times = Counter[str]()
    for each in classes:
        times[each.name] += 1
        yield each if times[each.name] == 1 else each.model_copy(update={"name": f"{each.name}_{times[each.name]}"})
