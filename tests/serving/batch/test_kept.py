"""Answers are kept line by line; a cut loses at most the line that was being written."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tailtune.core.errors import BusyError, TailTuneError, UsageError
from tailtune.serving.batch.kept import KeptAnswer, KeptAnswers

ABOUT = {"version": "3", "input": "abc", "rows": 4}
GO_ON = {"version": "tailtune predict x … --version {}"}
ANSWERS = [
    KeptAnswer("grün", 0.123456789012345),
    KeptAnswer(None, None, problem="no"),
    KeptAnswer("{}", 1.0, "{}", "{}"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "out.csv.unfinished"


def kept(file: Path, about: dict[str, object] | None = None) -> list[KeptAnswer]:
    with KeptAnswers.opened(file, about or ABOUT, GO_ON) as answers:
        return list(answers.read())


def test_answers_come_back_as_they_were(file: Path) -> None:
    with KeptAnswers.opened(file, ABOUT, GO_ON) as answers:
        answers.append(ANSWERS[:1])
        answers.append(ANSWERS[1:])
        assert (answers.rows, answers.usd) == (3, 0.0)
    with KeptAnswers.opened(file, ABOUT, GO_ON) as answers:
        assert (answers.rows, answers.usd) == (3, 0.0)
        assert list(answers.read()) == ANSWERS
        answers.append([KeptAnswer("a", 0.5, usd=0.25)])
        assert (answers.rows, answers.usd) == (4, 0.25)
        answers.append([KeptAnswer("a", 0.5, usd=None)])
        assert answers.usd is None
        answers.remove()
    assert not file.exists()


@pytest.mark.parametrize("torn", [b'["gr', b'["a",0.5]', b"\0\0\0\n", b'{"a": 1}'])
def test_what_a_cut_has_torn_is_removed(file: Path, torn: bytes) -> None:
    with KeptAnswers.opened(file, ABOUT, GO_ON) as answers:
        answers.append(ANSWERS)
    whole = file.read_bytes()
    with file.open("ab") as out:
        out.write(torn)
    assert kept(file) == ANSWERS
    assert file.read_bytes() == whole


@pytest.mark.parametrize("cut", [0, 5])
def test_a_torn_first_line_begins_again(file: Path, cut: int) -> None:
    kept(file)
    file.write_bytes(file.read_bytes()[:cut])
    assert kept(file) == []
    assert kept(file) == []


def test_another_version_is_refused_with_the_way_to_go_on(file: Path) -> None:
    kept(file)
    with pytest.raises(UsageError, match=r"something else \(version: 3 then, 4 now\)") as raised:
        kept(file, {**ABOUT, "version": "4"})
    assert raised.value.hint == f"tailtune predict x … --version 3 goes on with it; or remove {file} to begin again"


def test_other_rows_are_refused(file: Path) -> None:
    kept(file)
    with pytest.raises(UsageError, match=r"version: 3 then, 4 now; input: abc then, abd now") as raised:
        kept(file, {**ABOUT, "version": "4", "input": "abd"})
    assert raised.value.hint == f"remove {file} to begin again"


def test_another_programs_file_is_left_alone(file: Path) -> None:
    file.write_text("something of somebody\nelse\n")
    with pytest.raises(UsageError, match="not answers that tailtune predict kept"):
        kept(file)
    assert file.read_text() == "something of somebody\nelse\n"


def test_two_runs_do_not_write_one_file(file: Path) -> None:
    with KeptAnswers.opened(file, ABOUT, GO_ON), pytest.raises(BusyError, match="another process is answering"):
        kept(file)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a full disk: what is longer is not written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_named_and_answers_before_it_are_kept(file: Path) -> None:
    with (
        KeptAnswers.opened(file, ABOUT, GO_ON) as answers,
        files_of_at_most(400),
        pytest.raises(TailTuneError, match=r"unfinished: cannot be written: File too large") as raised,
    ):
        for _ in range(100):
            answers.append(ANSWERS)
    assert "the same command then goes on" in str(raised.value.hint)
    there = kept(file)
    assert there and there == (ANSWERS * 100)[: len(there)]
