"""Classes that nobody has labelled yet: found among what was answered, named by their words, and none twice."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow.conftest import THIRD_PARTY
from worlds.watched import FIRST_DAY, NAME, STRANGE, WatchedCase, strange_texts

from tailtune.core.days import DAY_US
from tailtune.core.errors import UsageError
from tailtune.core.proposals import Proposals
from tailtune.operations.new_classes import propose
from tailtune.services.corrections import Correction, write_corrections

pytestmark = THIRD_PARTY
NOW_US = (FIRST_DAY + 2) * DAY_US - 1


@pytest.fixture
def world(world: WatchedCase) -> WatchedCase:
    world.usual_day(FIRST_DAY, 90)
    return world


def proposals(world: WatchedCase, days: int = 28) -> Proposals:
    return propose(world.context, world.version, days, NOW_US)


def keep(file: Path, texts: list[str], label: str) -> None:
    write_corrections(file, [Correction(str(n), text, label, "Ana", "2024-10-05") for n, text in enumerate(texts)])


def test_a_group_of_strange_texts_is_proposed_with_its_words_and_answers(world: WatchedCase) -> None:
    strange = strange_texts(40)
    world.log(FIRST_DAY + 1, [*strange, strange[0]])
    made = proposals(world)
    assert (made.rows, made.first_day, made.last_day) == (131, FIRST_DAY - 26, FIRST_DAY + 1)
    texts = [text for proposed in made.classes for text in proposed.texts]
    assert set(texts) <= set(strange) and len(set(texts)) == len(texts) >= 25
    assert len({proposed.name for proposed in made.classes}) == len(made.classes)
    for proposed in made.classes:
        assert proposed.rows - len(proposed.texts) == (strange[0] in proposed.texts)
        assert proposed.share == pytest.approx(proposed.rows / 131)
        assert any(word.word in {*STRANGE.split(), "over", "the", "roof"} for word in proposed.words)
        assert all(word.more for word in proposed.words) and proposed.words[0].word in proposed.name
        assert sum(part for _, part in proposed.answers) <= 1


def test_nothing_new_proposes_nothing(world: WatchedCase) -> None:
    world.usual_day(FIRST_DAY + 1, 90)
    made = proposals(world)
    assert made.rows == 180 and made.classes == ()


def test_what_people_labelled_or_accepted_is_not_proposed_again(world: WatchedCase) -> None:
    strange = strange_texts(60)
    world.log(FIRST_DAY + 1, strange)
    keep(world.case.paths.feedback, strange[:6], "login")
    made = proposals(world)
    assert made.labelled == 6
    assert not {text for each in made.classes for text in each.texts} & set(strange[:6])
    keep(world.case.paths.proposed, strange[6:40], "login")
    assert proposals(world).classes == ()


def test_it_says_why_there_is_nothing_to_look_at(world: WatchedCase) -> None:
    with pytest.raises(UsageError, match="answered no row of the last 1 days"):
        proposals(world, 1)
    world.log(FIRST_DAY + 1, strange_texts(12), keep_text=False)
    with pytest.raises(UsageError, match="12 without one"):
        proposals(world, 1)
    assert NAME in world.case.name
