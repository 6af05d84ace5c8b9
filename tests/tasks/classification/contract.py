"""What every rung must keep, whatever it is made of; each rung's test runs all of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from tailtune.config.model import PII
from tailtune.core.records import Row
from tailtune.predictors.base import Floats, Predictor, Rung
from tailtune.tasks import saved
from tailtune.tasks.classification.rungs import ClassifierRung, ClassifyContext

LABELS = {"billing": "money and invoices", "login": "access to the account", "export": "data out of the product"}
WORDS = {
    "billing": "invoice charge card payment price",
    "login": "password account code device access",
    "export": "csv download file column report",
}
Check = Callable[[type[ClassifierRung], Path], None]


def embed(texts: Sequence[str]) -> Floats:
    """A stand-in for the encoder: a fixed random direction per word, summed; the same text, the same vector."""
    out = np.zeros((len(texts), 384), dtype=np.float32)
    for i, text in enumerate(texts):
        for word in re.findall(r"\w+", text.casefold()) or ["(nothing)"]:
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big")
            out[i] += np.random.default_rng(seed).standard_normal(384)
    lengths = np.linalg.norm(out, axis=1, keepdims=True)
    unit: Floats = out / lengths
    return unit


def rows(per_class: int = 8, labels: Sequence[str] = tuple(WORDS)) -> list[Row]:
    """Easily told apart: three words of the class and one that is everywhere."""
    made = []
    for label in labels:
        words = WORDS[label].split()
        for i in range(per_class):
            text = f"{words[i % 5]} {words[(i + 2) % 5]} {words[(i // 2) % 5]} please"
            name = hashlib.sha256(f"{label}{i}".encode()).hexdigest()[:8]
            made.append(Row(name, text, label, f"rows.csv:{len(made) + 2}", "train"))
    return made


def context(
    train: Sequence[Row] | None = None,
    labels: Mapping[str, str] = LABELS,
    shots: int = 4,
    neighbours: int = 3,
) -> ClassifyContext:
    return ClassifyContext(
        rows=rows() if train is None else train, labels=labels, embed=embed, shots=shots, neighbours=neighbours
    )


TEXTS = [
    "my card was charged",
    "password for my device",
    "download a csv file",
    "",
    "?!",
    "ünknown wörds 漢字",
    "a" * 3000,
]


def probabilities_are_probabilities(kind: type[ClassifierRung], _: Path) -> None:
    rung = kind.fit(context())
    found = rung.probabilities(TEXTS)
    assert found.shape == (len(TEXTS), 3)
    assert found.dtype == np.float32
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert (found >= 0).all()
    answers = rung.answer(TEXTS)
    assert [a.value for a in answers] == [list(LABELS)[j] for j in found.argmax(axis=1)]
    assert [a.confidence for a in answers] == pytest.approx(found.max(axis=1).tolist())
    assert all(a.usd == 0 for a in answers)
    assert isinstance(rung, Predictor)


def a_saved_rung_answers_the_same(kind: type[ClassifierRung], folder: Path) -> None:
    rung = kind.fit(context())
    name = next(name for name, known in saved.RUNG_KINDS.items() if known.load_class() is kind)
    rung.save(folder)
    saved.write_card(folder, saved.RUNG_KINDS[name], PII)
    again = saved.load(folder, embed)
    assert type(again) is kind
    assert again.labels == rung.labels == tuple(LABELS)
    assert isinstance(again, Rung)
    assert again.fit_rows == rung.fit_rows
    assert np.array_equal(again.probabilities(TEXTS), rung.probabilities(TEXTS))
    assert {path.suffix for path in folder.rglob("*")} == {".safetensors", ".json"}, "no pickle"
    for path in folder.rglob("*"):
        assert not path.read_bytes().startswith(b"\x80"), f"{path.name} looks like pickle"


def each_text_alone_is_answered_as_in_a_batch(kind: type[ClassifierRung], _: Path) -> None:
    rung = kind.fit(context())
    alone = np.vstack([rung.probabilities([text]) for text in TEXTS])
    assert np.allclose(alone, rung.probabilities(TEXTS), atol=1e-5)
    assert rung.answer([]) == []


def fitting_twice_gives_the_same(kind: type[ClassifierRung], _: Path) -> None:
    one, two = (kind.fit(context()).probabilities(TEXTS) for _ in range(2))
    assert np.array_equal(one, two)


def two_classes_are_enough(kind: type[ClassifierRung], _: Path) -> None:
    labels = {name: LABELS[name] for name in ("billing", "login")}
    found = kind.fit(context(rows(6, list(labels)), labels)).probabilities(TEXTS)
    assert found.shape == (len(TEXTS), 2)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)


def a_class_without_rows_is_hardly_answered_and_shifts_nobody(kind: type[ClassifierRung], _: Path) -> None:
    """The middle label has no rows: the columns of the others must not move."""
    rung = kind.fit(context(rows(8, ["billing", "export"])))
    assert rung.labels == tuple(LABELS)
    found = rung.probabilities(["invoice charge card payment", "csv download file column"])
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    if rung.fit_rows:
        assert (found[:, 1] < 1 / 3).all()
    if kind.__name__ != "Majority":
        assert found[0].argmax() == 0
        assert found[1].argmax() == 2


def one_row_is_enough(kind: type[ClassifierRung], folder: Path) -> None:
    rung = kind.fit(context(rows(1, ["login"])))
    found = rung.probabilities(["password account code", "something else"])
    assert np.isfinite(found).all()
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
    assert found[0].argmax() == 1
    rung.save(folder)
    assert np.array_equal(kind.load(folder, embed).probabilities(["password"]), rung.probabilities(["password"]))


CONTRACT: tuple[Check, ...] = (
    probabilities_are_probabilities,
    a_saved_rung_answers_the_same,
    each_text_alone_is_answered_as_in_a_batch,
    fitting_twice_gives_the_same,
    two_classes_are_enough,
    a_class_without_rows_is_hardly_answered_and_shifts_nobody,
    one_row_is_enough,
)
keeps = pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)


def accuracy(rung: ClassifierRung) -> float:
    """Share of unseen texts answered right."""
    unseen = [
        (f"{WORDS[label].split()[i]} {WORDS[label].split()[i - 2]} thanks", label) for label in WORDS for i in range(5)
    ]
    answers = rung.answer([text for text, _ in unseen])
    return sum(a.value == label for a, (_, label) in zip(answers, unseen, strict=True)) / len(unseen)
