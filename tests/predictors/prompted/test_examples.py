"""Which rows a prompt shows, and that a saved choice comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from tasks.classification.contract import WORDS, embed, rows

from predictors.prompted.scripted import CODEC
from tailtune.core.records import Row
from tailtune.predictors.prompted.examples import Choice, Coverage, Nearest, fit_examples, load_examples

TEXTS = ["invoice charge card please", "password account", "", "漢字"]


def fitted(choice: Choice, shots: int = 3, train: list[Row] | None = None):  # type: ignore[no-untyped-def]
    return fit_examples(choice, rows() if train is None else train, CODEC, embed, shots, 17)


def test_no_examples_need_no_encoder() -> None:
    def never(texts: object) -> None:
        raise AssertionError("an encoder is loaded for nothing")

    none = fit_examples("none", rows(), CODEC, never, 3, 17)  # type: ignore[arg-type]
    assert none.near(TEXTS) == [[], [], [], []]
    assert none.fit_rows == 0


def test_coverage_shows_every_label_to_every_text_as_replies_are_written() -> None:
    found = fitted("coverage")
    first, *others = found.near(TEXTS)
    assert [one == first for one in others] == [True] * 3
    assert {one.label for one in first} == set(WORDS)
    assert all(one.answer == CODEC.shown(one.label) for one in first)
    assert (found.note, found.fit_rows) == ("", 3)


def test_with_few_shots_it_says_how_much_is_shown_and_the_most_frequent_stands_last() -> None:
    train = [*rows(4, ["login"]), *rows(2, ["billing"]), *rows(1, ["export"])]
    found = fitted("coverage", 2, train)
    assert [one.label for one in found.near(["x"])[0]] == ["billing", "login"]
    assert found.note == "examples show 2 of 3, the most frequent first"


def test_the_choice_does_not_hang_on_the_order_of_the_rows() -> None:
    assert fitted("coverage").near(["x"]) == fitted("coverage", train=rows()[::-1]).near(["x"])


def test_the_nearest_row_stands_last() -> None:
    train = rows()
    found = fitted("nearest", 4)
    (shown,) = found.near([train[9].text])
    assert len(shown) == 4
    assert (shown[-1].text, shown[-1].label) == (train[9].text, train[9].label)
    cosines = [float(embed([one.text])[0] @ embed([train[9].text])[0]) for one in shown]
    assert cosines == sorted(cosines)
    rest = [float(embed([row.text])[0] @ embed([train[9].text])[0]) for row in train]
    assert sorted(rest)[-4:] == pytest.approx(cosines)
    assert found.fit_rows == len(train)


def test_what_is_near_does_not_hang_on_the_texts_beside_it() -> None:
    """Else a batch of another size would be another prompt, and be paid again."""
    found, texts = fitted("nearest", 8), [row.text for row in rows()]
    assert found.near(texts) == [found.near([text])[0] for text in texts]


def test_there_may_be_fewer_rows_than_shots() -> None:
    assert [len(content) for content in fitted("nearest", 50).near(["a", "b"])] == [24, 24]
    assert fitted("nearest", 3).near([]) == []


@pytest.mark.parametrize("choice", ["none", "coverage", "nearest"])
def test_a_saved_choice_comes_back(tmp_path: Path, choice: Choice) -> None:
    found = fitted(choice, 2)
    found.save(tmp_path)
    again = load_examples(tmp_path, embed, CODEC)
    assert type(again) is type(found)
    assert again.near(TEXTS) == found.near(TEXTS)
    assert (again.note, again.fit_rows) == (found.note, found.fit_rows)
    assert {path.suffix for path in tmp_path.iterdir()} == {".safetensors", ".json"}


def test_the_choices_are_of_their_kinds() -> None:
    assert isinstance(fitted("coverage"), Coverage)
    assert isinstance(fitted("nearest"), Nearest)
