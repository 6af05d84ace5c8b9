"""Words and word pairs under a linear model, saved without pickle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from tailtune.core.records import Row
from tailtune.tasks.classification.rungs import Tfidf
from tasks.classification.contract import TEXTS, Check, accuracy, context, keeps, rows


@keeps
def test_it_keeps_the_contract(check: Check, tmp_path: Path) -> None:
    check(Tfidf, tmp_path / "rung")


def test_it_learns_the_words() -> None:
    rung = Tfidf.fit(context())
    assert accuracy(rung) == 1
    assert rung.fit_rows == 24


def test_features_after_loading_are_scikit_learns(tmp_path: Path) -> None:
    """The vectorizer is rebuilt from words and idf alone; a wrong order or a lost option would show here."""
    train = [row.text for row in rows()]
    known = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32).fit(train)
    Tfidf.fit(context()).save(tmp_path)
    loaded = Tfidf.load(tmp_path, lambda _: np.empty((0, 384), np.float32))
    texts = ["invoice invoice charge please", *TEXTS]
    assert np.allclose(loaded._vectorizer.transform(texts).toarray(), known.transform(texts).toarray(), atol=1e-6)


def test_word_pairs_are_read() -> None:
    pairs = ["not good", "good not"]
    train = [Row(f"{i}{text}", text, label, "f:1") for i in range(6) for text, label in zip(pairs, "ab", strict=True)]
    rung = Tfidf.fit(context(train, {"a": "", "b": ""}))
    assert [a.value for a in rung.answer(pairs)] == ["a", "b"]


@pytest.mark.parametrize("count", [30, 1000])
def test_rows_without_a_single_repeated_word_leave_the_label_shares(count: int) -> None:
    """Product codes, say: under 1,000 rows each is a word; above, words must occur twice and none does."""
    train = [
        Row(f"{i:05}", f"x{i}q" if count >= 1000 else "?", "login" if i % 3 else "export", "f:1") for i in range(count)
    ]
    answer = Tfidf.fit(context(train)).answer(["anything"])[0]
    assert (answer.value, answer.confidence) == ("login", pytest.approx(2 / 3, abs=0.02))


def test_rare_words_are_dropped_only_when_there_are_many_rows() -> None:
    base = rows()
    many = [replace(row, id=f"{i}{row.id}") for i in range(42) for row in base]
    many[0] = replace(many[0], text=f"{many[0].text} hapax")
    assert len(many) >= 1000
    assert "hapax" not in Tfidf.fit(context(many)).words
    assert "hapax" in Tfidf.fit(context([replace(base[0], text="hapax"), *base])).words
