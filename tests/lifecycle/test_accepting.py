"""A file of proposed classes as a person left it: taken in whole, or refused with every fault and its line."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cli.checkout import checkout

from tailtune.config.paths import Paths
from tailtune.core.errors import DataError, SpecError, UsageError
from tailtune.core.monitored import MovedWord
from tailtune.core.proposals import Proposals, ProposedClass
from tailtune.lifecycle import accepting, proposed_file
from tailtune.lifecycle.accepting import Accepted
from tailtune.tasks.use_case import UseCase, load_use_case

TEXTS = tuple(f"the hologram on my desk number {n} flickers" for n in range(30))


@pytest.fixture
def case(tmp_path: Path) -> UseCase:
    return load_use_case(checkout(tmp_path / "checkout"), "first")


def proposed(case: UseCase, texts: tuple[str, ...] = TEXTS) -> Path:
    """The file as it is written; the answer holds what no comment may."""
    word = MovedWord(word="hologram", before=0.0, now=1.0)
    group = ProposedClass(
        name="hologram_desk", rows=31, share=0.1, words=(word,), answers=(("login\nuse_case: x", 0.5),), texts=texts
    )
    other = group.model_copy(update={"name": "hologram_desk_2", "texts": ("no", "- \u2028: {", 'a "quoted" #text')})
    file = case.paths.project.root / "proposed.yaml"
    made = Proposals(use_case="first", version="3", first_day=1, last_day=28, rows=310, classes=(group, other))
    proposed_file.write(file, made)
    return file


def edited(file: Path, *changes: tuple[str, str]) -> Path:
    text = file.read_text(encoding="utf-8")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    file.write_text(text, encoding="utf-8")
    return file


YES = (("accept: no", "accept: yes"), ('who: ""', "who: Ana"))


def taken(case: UseCase, *changes: tuple[str, str]) -> Accepted:
    return accepting.receive(case, edited(proposed(case), *YES, *changes))


def test_the_file_is_private_and_says_what_to_do(case: UseCase) -> None:
    file = proposed(case)
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0
    read, _ = proposed_file.read(file)
    assert [each.texts for each in read.proposed] == [TEXTS, ("no", "- \u2028: {", 'a "quoted" #text')]
    assert not any(each.accept for each in read.proposed)
    text = file.read_text(encoding="utf-8")
    for words in ("1 of 2: 31 rows, 10.0 % of all", "hologram (100.0 % of these, 0.0 % of others)", "--from"):
        assert words in text
    with pytest.raises(UsageError, match="people may have edited it"):
        proposed_file.write(file, Proposals(use_case="first", version="3", first_day=1, last_day=2, rows=0))
    with pytest.raises(UsageError, match="ends in"):
        proposed_file.expect_new(file.with_suffix(".csv"))


def test_an_accepted_group_is_a_label_and_its_rows(case: UseCase) -> None:
    made = taken(
        case, ("hologram_desk", "hologram"), ('description: ""', 'description: "It: flickers."'),
        (f"      - {proposed_file.quoted(TEXTS[3])}\n", ""),
    )  # fmt: skip
    assert made.new == {"hologram": "It: flickers."} and made.refused == 1
    assert made.rows_of("hologram") == 29 and made.people == ["Ana"]
    assert {each.text for each in made.kept} == set(TEXTS) - {TEXTS[3]}
    accepting.declare(case, made)
    now = load_use_case(case.paths.project, "first")
    assert now.answers.names == ("billing", "login", "refund", "hologram")
    assert case.answers_file.read_text().startswith("billing: money\nlogin: access\n")


def test_a_name_that_there_is_adds_rows_and_no_label(case: UseCase) -> None:
    made = taken(case, ("hologram_desk", "login"))
    assert not made.new and made.rows_of("login") == 30
    before = case.answers_file.read_bytes()
    accepting.declare(case, made)
    assert case.answers_file.read_bytes() == before


@pytest.mark.parametrize(
    ("first", "second", "twin"), [("Login", "hologram", "login"), ("hologram", "Holo-gram", "hologram")]
)
def test_a_new_class_that_looks_like_another_is_refused(first: str, second: str, twin: str, case: UseCase) -> None:
    wrong = second if twin == first else first
    with pytest.raises(DataError, match=rf"name: {wrong} looks like {twin}; expected that name, or one"):
        taken(case, ("hologram_desk_2", second), ("hologram_desk", first), *YES)


def test_all_faults_are_named_with_their_lines_and_nothing_is_taken(case: UseCase) -> None:
    file = edited(
        proposed(case), ("accept: no", "accept: yes"), ("accept: no", "accept: yes"), ('who: ""', "who: Ana"),
        ('"hologram_desk_2"', '" "'), ("use_case: first", "use_case: other"), ('"no"', f'"{TEXTS[0]}"'),
    )  # fmt: skip
    with pytest.raises(DataError) as raised:
        accepting.receive(case, file)
    message = str(raised.value)
    for words in (
        "use_case: expected first",
        "what the class is to be called",
        "has read the texts",
        "stands under",
    ):
        assert words in message, words


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (("accept: no", "accept: no"), DataError, "nobody has accepted any"),
        (("accept: no", "accepted: yes"), SpecError, "did you mean accept"),
        (("accept: no", "accept: maybe"), SpecError, "accept"),
        (("proposed:", "proposed: ["), SpecError, "not YAML"),
    ],
)
def test_what_cannot_be_read_is_refused(
    case: UseCase, change: tuple[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        accepting.receive(case, edited(proposed(case), change))


def test_too_few_train_rows_are_said_before_a_gate_closes_on_them(case: UseCase) -> None:
    made = accepting.receive(case, edited(proposed(case, TEXTS[:5]), *YES))
    (sentence,) = accepting.too_few(case, made)
    assert "hologram_desk: " in sentence and "validate.min_rows_per_class is 8" in sentence
    assert accepting.too_few(case, taken_again(case)) == []


def taken_again(case: UseCase) -> Accepted:
    (case.paths.project.root / "proposed.yaml").unlink()
    return taken(case)


def test_labels_in_braces_are_left_as_they_are(case: UseCase) -> None:
    before = "{billing: money, login: access}\n"
    case.answers_file.write_text(before)
    made = taken(load_use_case(case.paths.project, "first"))
    with pytest.raises(UsageError, match="by hand"):
        accepting.declare(case, made)
    assert case.answers_file.read_text() == before


def test_objects_have_no_classes(tmp_path: Path) -> None:
    from project import ROOT

    with pytest.raises(UsageError, match=r"answers of extraction are objects of .*schema\.json"):
        accepting.receive(load_use_case(Paths(ROOT), "insurance-claims"), tmp_path / "x.yaml")
