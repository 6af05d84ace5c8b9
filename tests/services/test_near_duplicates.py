from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tailtune.services.near_duplicates import NearDuplicates, jaccard, normal, rows_per_band, shingles

WORDS = ["card", "payment", "refund", "charged", "twice", "please", "why", "top", "up", "transfer", "pending", "cash"]


def greedy(texts: list[str], similarity: float) -> set[int]:
    """Positions of the texts that near-repeat an earlier kept one, by NearDuplicates."""
    index = NearDuplicates(texts, similarity)
    dropped = set()
    for place in range(len(texts)):
        if index.of(place):
            dropped.add(place)
        else:
            index.enter(place)
    return dropped


def exhaustive(texts: list[str], similarity: float) -> set[int]:
    """The same rule, every pair measured."""
    kept: list[frozenset[str]] = []
    dropped = set()
    for place, text in enumerate(texts):
        grams = shingles(normal(text))
        if any(jaccard(grams, other) >= similarity for other in kept):
            dropped.add(place)
        else:
            kept.append(grams)
    return dropped


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Charged twice!", "charged  twice"),
        ("I can't pay", "i cant pay"),
        ("I can’t pay", "I can't pay"),
        ("STRASSE", "straße"),
        ("a-b", "a b"),
        ("«oui»", "oui"),
        ("snake_case", "snake case"),
        ("snake_çase", "snake çase"),
    ],
)
def test_case_punctuation_and_space_do_not_count(one: str, other: str) -> None:
    assert normal(one) == normal(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C"),
        ("costs $5", "costs 5"),
        ("costs 5 €", "costs 5 £"),
        ("great 👍", "great 👎"),
        ("1.5", "15"),
        ("कि", "का"),  # they differ in a vowel sign, which is a mark and no letter
        ("???", "!!!"),
    ],
)
def test_what_carries_meaning_counts(one: str, other: str) -> None:
    assert normal(one) != normal(other)


@given(st.text())
def test_the_normal_form_is_its_own_normal_form_and_never_empty_for_a_text(text: str) -> None:
    form = normal(text)
    assert bool(form) == bool(text.strip())
    assert " ".join(form.split()) == form or not any(char.isalnum() for char in form)


def test_shingles_of_a_short_text_are_the_text() -> None:
    assert shingles("card") == {"card"}
    assert shingles("cards") == {"cards"}
    assert shingles("cards!") == {"cards", "ards!"}
    assert jaccard(shingles("cards!"), shingles("cards?")) == pytest.approx(1 / 3)


@pytest.mark.parametrize("similarity", [0.51, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0])
def test_bands_propose_nearly_every_pair_at_the_similarity(similarity: float) -> None:
    rows = rows_per_band(similarity)
    assert 1 - (1 - similarity**rows) ** (128 // rows) >= 0.999
    assert rows >= 2


@pytest.mark.parametrize("similarity", [0.6, 0.85, 0.95])
def test_greedy_search_finds_what_measuring_every_pair_finds(similarity: float) -> None:
    dice = random.Random(11)
    texts = []
    for _ in range(250):
        words = dice.choices(WORDS, k=dice.randint(3, 14))
        texts.append(" ".join(words))
        for _ in range(dice.randint(0, 2)):
            changed = list(words)
            changed[dice.randrange(len(changed))] = dice.choice(WORDS)
            texts.append(" ".join(changed))
    expected = exhaustive(texts, similarity)
    assert len(expected) >= 15
    assert greedy(texts, similarity) == expected


def test_only_entered_texts_are_found_and_never_the_text_itself() -> None:
    texts = ["my card has not arrived yet at all"] * 3
    index = NearDuplicates(texts, 0.85)
    assert index.of(1) == []
    index.enter(1)
    assert index.of(1) == []
    assert index.of(0) == [1]
    index.enter(0)
    assert index.of(2) == [0, 1]


def test_no_texts_are_no_twins_and_short_texts_have_them() -> None:
    assert greedy([], 0.85) == set()
    assert greedy(["no", "", "no", "on", ""], 0.85) == {2, 4}


def test_half_a_surrogate_pair_does_not_stop_the_search() -> None:
    assert greedy(["broken \ud83d emoji here"] * 2, 0.85) == {1}


def test_the_sketching_reports_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.services.near_duplicates._CHUNK_ROWS", 2)
    text: list[int] = []
    NearDuplicates(["a text of some length"] * 5, 0.85, text.append)
    assert text == [2, 4, 5]


def test_long_texts_are_sketched_fewer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tailtune.services.near_duplicates._CHUNK_CHARS", 100)
    text: list[int] = []
    NearDuplicates(["a" * 60, "b" * 40, "c", "d" * 500, "e", "f" * 99, "g"], 0.85, text.append)
    assert text == [2, 3, 4, 6, 7]


@settings(deadline=None)
@given(st.lists(st.text(alphabet="ab c", max_size=40), max_size=12), st.integers(1, 60))
def test_how_many_are_sketched_at_once_changes_nothing(texts: list[str], chars: int) -> None:
    expected = greedy(texts, 0.85)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tailtune.services.near_duplicates._CHUNK_CHARS", chars)
        assert greedy(texts, 0.85) == expected


def test_memory_does_not_grow_with_the_length_of_texts() -> None:
    """4,000 texts of 2,000 characters, at 26 bytes a character, would take 200 MB at once."""
    texts = [f"{i} " + "word " * 400 for i in range(4000)]
    tracemalloc.start()
    try:
        NearDuplicates(texts, 0.85)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


def test_a_template_filled_in_many_times_stays_cheap() -> None:
    """Every row shares its bands with every other and none is a twin: buckets are capped, so is the work."""
    dice = random.Random(3)
    head = "dear team my parcel with the number "
    texts = [head + "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=25)) for _ in range(3000)]
    index = NearDuplicates(texts, 0.6)
    for place in range(len(texts)):
        assert len(index._candidates(place)) <= 32 * index._buckets.shape[1]
        index.enter(place)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(alphabet="ab c", min_size=1, max_size=30), max_size=12), st.integers(0, 12))
def test_appending_texts_changes_no_earlier_decision(texts: list[str], cut: int) -> None:
    before = texts[:cut]
    assert greedy(before, 0.85) == {place for place in greedy(texts, 0.85) if place < len(before)}
