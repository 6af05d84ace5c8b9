"""Candidates: surfaces seen before, shapes, and words around."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tailtune.tasks.extraction.rungs.base import Words
from tailtune.tasks.extraction.rungs.gazetteer import Gazetteer
from tasks.extraction.rungs.claims import SCHEMA, labelled


def learnt(*marked: str) -> Gazetteer:
    rows = [labelled(one, {}) for one in marked]
    return Gazetteer.learn(SCHEMA, [(Words.of(row.text), row.label.spans) for row in rows])


def candidates(lexicon: Gazetteer, text: str) -> dict[str, Sequence[str]]:
    words = Words.of(text)
    return {
        text[words.starts[first] : words.ends[after - 1]]: reasons
        for (first, after), reasons in lexicon.candidates(words).items()
    }


def test_a_surface_seen_twice_is_a_candidate_wherever_it_stands() -> None:
    lexicon = learnt("the [items|left door]", "a [items|Left Door]", "one [items|roof]")
    assert candidates(lexicon, "LEFT DOOR and roof") == {"LEFT DOOR": ["seen:items"]}


def test_a_shape_seen_twice_is_one_unless_it_is_all_small_letters() -> None:
    lexicon = learnt("a [name|Ada Lopez]", "b [name|Ben Cho]", "c [items|roof]", "d [items|door]")
    assert candidates(lexicon, "with Eve Quist now") == {"Eve Quist": ["shape:name"]}


def test_between_words_that_open_and_close_anything_is_one() -> None:
    lexicon = learnt(*(f"we ask for [items|{word}] please" for word in ("hats", "a bat", "cats")))
    assert candidates(lexicon, "you ask for mice please") == {"mice": ["between"]}
    assert candidates(lexicon, "you ask for mice now") == {}
    assert candidates(lexicon, "you ask for one two three four five please") == {}, "longer than any seen"


def test_words_that_seldom_stand_beside_a_value_open_nothing() -> None:
    lexicon = learnt(*["ask for [items|hats] please"] * 2, *["ask for it please"] * 10)
    assert "mice" not in candidates(lexicon, "ask for mice please")


def test_kinds_that_can_be_told_by_looks_need_no_example() -> None:
    found = candidates(learnt("nothing"), "on 4 May 2026 for $5")
    assert found["4 May 2026"] == ["like:date"]
    assert found["$5"] == ["like:money"]


def test_it_comes_back_from_json() -> None:
    lexicon = learnt(*(f"we ask for [items|{word}] please, [name|Ada Lopez]" for word in ("hats", "hats", "cats")))
    assert Gazetteer.from_json(json.loads(json.dumps(lexicon.to_json()))) == lexicon
