"""A version's reference: what it answered to rows that it did not learn from, and that have labels.

It stands beside the version in MLflow, as one Parquet file with the columns of the prediction log, so that a window of
logged rows is compared with rows of the same make.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailtune.core.errors import (
    BudgetReachedError,
    ContextTooLongError,
    EndpointError,
    TailTuneError,
    UndeclaredEndpointError,
)
from tailtune.core.records import Answer, Row
from tailtune.lifecycle.context import Context
from tailtune.lifecycle.language_models import language_models
from tailtune.services import store
from tailtune.tasks import saved
from tailtune.tasks.answerer import Answerer
from tailtune.tasks.use_case import UseCase

FILE = "reference.parquet"
MOST_ROWS = 3000
"""Rows of a reference: more would take longer to answer and hardly narrow its intervals."""
_SEEN = ("text", "confidence", "likeliest", "embedding", "novelty", "unknown_share", "tokens")
OF_TEXTS = ("language", "unreadable")
"""What is kept of texts that are not kept themselves."""
_WORDS = b"words"
_BLOCK = 50
_DOING = "answering held-out rows, for the monitor to compare with"


@dataclass(frozen=True)
class ReferenceRow:
    """One per row of a reference: what the prediction log would keep of it, and what is known besides.

    Attributes:
        logged: Column of the prediction log → value.
        label: The right answer, as text; empty where nobody knows it.
        score: What the answer is worth by the task's own rule, 0 to 1; NaN where that is not known.
        split: Whose row it is: dev or test; empty for what was asked.
    """

    logged: dict[str, Any]
    label: str
    score: float
    split: str


def of_version(context: Context, folder: Path, version: str, rows: Sequence[Row]) -> list[ReferenceRow]:
    """What a version answers to held-out rows.

    Of a version that asks a language model these are the answers that evaluation kept, to test rows alone: nothing is
    bought here. Where they are not kept any more, answers are left unmeasured, and only texts are compared.

    Args:
        context: Of the stage or the monitor.
        folder: The version's files.
        version: Its number.
        rows: Dev and test rows.

    Raises:
        TailTuneError: The version does not load or answer.
    """
    if saved.kind_of(folder) not in saved.PROMPTED_KINDS:
        answerer = Answerer(folder, version)
        return describe(context.case, answerer, rows, lambda done, of: context.progress.at(done, of, _DOING))
    test = [row for row in rows if row.split == "test"]
    return describe_answers(context.case, test, _kept_answers(context, folder, [row.text for row in test]))


def _kept_answers(context: Context, folder: Path, texts: Sequence[str]) -> list[Answer]:
    try:
        with language_models(context, max_usd=0.0) as models:
            return list(models.connected(saved.load(folder)).answer(texts))
    except (EndpointError, BudgetReachedError, ContextTooLongError, UndeclaredEndpointError):
        return [Answer(None, math.nan, None) for _ in texts]


def describe(
    case: UseCase, answerer: Answerer, rows: Sequence[Row], on_progress: Callable[[int, int], None]
) -> list[ReferenceRow]:
    """Answer held-out rows as a server would.

    Args:
        case: The use case.
        answerer: The version; one that answers by itself.
        rows: Dev and test rows; of more than `MOST_ROWS` those with the lowest ids, which are hashes of their content.
        on_progress: Is shown how many are done, of how many.
    """
    chosen = sorted(rows, key=lambda row: (row.id, row.origin))[:MOST_ROWS]
    return _scored(case, chosen, _logged(answerer, [row.text for row in chosen], on_progress))


def describe_texts(
    answerer: Answerer, requests: Sequence[tuple[str, dict[str, str]]], on_progress: Callable[[int, int], None]
) -> list[ReferenceRow]:
    """The same of texts whose right answers nobody knows: no label, and no score.

    Args:
        answerer: The version; one that answers by itself.
        requests: Each text with its slices.
        on_progress: Is shown how many are done, of how many.
    """
    logged = _logged(answerer, [text for text, _ in requests], on_progress)
    return [
        ReferenceRow({**columns, "slices": slices}, "", math.nan, "")
        for columns, (_, slices) in zip(logged, requests, strict=True)
    ]


def _logged(answerer: Answerer, texts: Sequence[str], on_progress: Callable[[int, int], None]) -> list[dict[str, Any]]:
    logged: list[dict[str, Any]] = []
    for place, text in enumerate(texts):
        if place % _BLOCK == 0:
            on_progress(place, len(texts))
        prediction = answerer.answer(text)
        logged.append({"answer": prediction.value, **{name: getattr(prediction, name) for name in _SEEN}})
    return logged


def describe_answers(case: UseCase, rows: Sequence[Row], answers: Sequence[Answer]) -> list[ReferenceRow]:
    """The reference of a version that asks an endpoint: from answers that were bought before."""
    logged = [
        {**dict.fromkeys(_SEEN), "text": row.text, "answer": answer.value, "likeliest": ()}
        for row, answer in zip(rows, answers, strict=True)
    ]
    return _scored(case, rows, logged)


def _scored(case: UseCase, rows: Sequence[Row], logged: Sequence[dict[str, Any]]) -> list[ReferenceRow]:
    answers = [Answer(columns["answer"], math.nan) for columns in logged]
    worth = case.task.score(rows, answers).per_row if rows else ()
    return [
        ReferenceRow({**columns, "slices": dict(row.slices)}, str(row.label), float(score), str(row.split))
        for row, columns, score in zip(rows, logged, worth, strict=True)
    ]


def write(file: Path, rows: Sequence[ReferenceRow], words: Mapping[str, int] | None = None) -> None:
    """Write a reference whole: the same rows are the same bytes.

    Args:
        file: Where.
        rows: Its rows.
        words: Word → texts that have it, where the rows are without texts.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [row.logged[name] for row in rows] for name in (*_SEEN, "answer")}
    columns["likeliest"] = [json.dumps(likeliest) for likeliest in columns["likeliest"]]
    columns["slices"] = [json.dumps(row.logged["slices"], sort_keys=True) for row in rows]
    columns |= {"label": [row.label for row in rows], "score": [row.score for row in rows]}
    columns["split"] = [row.split for row in rows]
    columns |= {name: [row.logged.get(name) for row in rows] for name in OF_TEXTS}
    schema = _schema()
    schema = schema if words is None else schema.with_metadata({_WORDS: json.dumps(words, sort_keys=True)})
    with store.written_whole(file) as part:
        pq.write_table(pa.table(columns, schema=schema), part, compression="zstd")


def read(file: Path) -> list[ReferenceRow]:
    """Read a reference.

    Raises:
        TailTuneError: It is damaged, or no reference.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(file, schema=_schema()).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise TailTuneError(f"{file}: not a reference that can be read ({error})", f"remove {file}") from error
    return [
        ReferenceRow(
            {
                **{name: columns[name] for name in (*_SEEN, "answer")},
                **{name: columns[name] for name in OF_TEXTS if columns[name] is not None},
                "likeliest": tuple((str(name), float(share)) for name, share in json.loads(columns["likeliest"])),
                "slices": json.loads(columns["slices"]),
            },
            columns["label"],
            columns["score"],
            columns["split"],
        )
        for columns in table
    ]


def read_words(file: Path) -> dict[str, int]:
    """Word → texts that have it, of a reference that keeps no texts; empty for others."""
    import pyarrow.parquet as pq

    kept = pq.read_metadata(file).metadata or {}
    words: dict[str, int] = json.loads(kept.get(_WORDS, b"{}"))
    return words


def _schema() -> Any:
    import pyarrow as pa

    kinds = dict.fromkeys(("text", "answer", "likeliest", "slices", "label", "split", *OF_TEXTS), pa.string())
    kinds |= dict.fromkeys(("confidence", "novelty", "unknown_share", "score"), pa.float64())
    return pa.schema({**kinds, "embedding": pa.binary(), "tokens": pa.int64()})
