"""Which versions count as looks at a test set."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tailtune.core.records import Estimate, Row
from tailtune.core.reports import Paired
from tailtune.judge.looks import LEAST_NEWEST, NEWEST
from tailtune.lifecycle.register.looks import (
    LOOKS,
    TEST_ROWS,
    Sketch,
    last_look,
    look_at,
    looks_in_year,
    newest_audited,
    noting,
)
from tailtune.services.mlflow import registry
from tailtune.services.mlflow.registry import Version


def rows(first: int, last: int) -> list[Row[str]]:
    return [Row(str(place), f"text {place}", "a", f"file:{place}") for place in range(first, last)]


def version(
    number: int, test: list[Row[str]] | None = None, looks: dict[str, int] | None = None, **tags: str
) -> Version:
    known = {TEST_ROWS: Sketch.of(test).tag} if test else {}
    known |= {LOOKS: json.dumps(looks)} if looks else {}
    return Version("m", str(number), f"run{number}", (), {**known, **tags}, number)


def number(there: list[Version], at: Version, test: list[Row[str]], champion: str = "1") -> int:
    return look_at(there, at, version(int(champion)), test, lambda tags: "alike" in tags).number


@pytest.mark.parametrize(("first", "last"), [(0, 900), (0, 60), (500, 1500), (950, 1950), (3000, 4000), (0, 20_000)])
def test_a_sketch_says_what_share_of_rows_stands_in_another_test_set(first: int, last: int) -> None:
    ours = rows(0, 1000)
    truth = max(0, min(1000, last) - first) / 1000
    assert Sketch.of(ours).share_in(Sketch.of(rows(first, last))) == pytest.approx(truth, abs=0.12)
    assert Sketch.read(Sketch.of(ours).tag) == Sketch.of(ours)


def test_a_sketch_fits_a_tag_and_what_is_none_is_none() -> None:
    assert len(Sketch.of(rows(0, 50_000)).tag) < 5000
    assert Sketch.read("") is None and Sketch.read("many ab") is None


def test_a_corrected_label_makes_no_fresh_row() -> None:
    relabelled = [Row(row.id, row.text, "b", row.origin) for row in rows(0, 100)]
    assert Sketch.of(relabelled) == Sketch.of(rows(0, 100))


def test_versions_compared_on_the_same_rows_are_counted_whatever_the_champion() -> None:
    test = rows(0, 300)
    there = [version(1, test), version(2, test, {"1": 1}), version(3, test, {"1": 2, "2": 3}), version(4, test)]
    assert number(there, version(5, test), test) == 4


def test_a_few_rows_more_make_no_fresh_test_set_and_most_rows_new_do() -> None:
    there = [version(number_, rows(0, 300), {"1": number_}) for number_ in (2, 3)]
    assert number(there, version(4), rows(0, 400)) == 3
    assert number(there, version(4), rows(0, 1200)) == 1
    assert number(there, version(4), rows(500, 800)) == 1


def test_the_same_version_again_is_no_new_look_and_against_another_champion_it_is() -> None:
    test = rows(0, 300)
    again = version(2, test, {"1": 1})
    there = [again, version(3, test, {"1": 2})]
    assert number(there, again, test) == 1
    assert number(there, again, test, champion="3") == 3


def test_comparisons_of_before_looks_were_noted_count_where_rows_split_alike() -> None:
    gap = Estimate(value=0, low=0, high=0, rows=300)
    compared = Paired(first="a", second="b", difference=gap, only_first_right=0, only_second_right=0, p=1.0)
    then = {registry.COMPARISON: compared.model_dump_json()}
    there = [version(1, **{registry.COMPARISON: "null"}), version(2, **then, alike="yes"), version(3, **then)]
    assert number(there, version(4), rows(0, 300)) == 2
    assert number(there, version(4), rows(0, 900)) == 1


def test_the_last_look_is_read_from_what_was_noted() -> None:
    first = version(5, rows(0, 9), {"1": 3})
    noted = noting(first, version(4), look_at([version(2, rows(0, 9), {"1": 1})], first, version(4), rows(0, 9), bool))
    assert json.loads(noted[LOOKS]) == {"1": 3, "4": 3}
    last = last_look(version(5, looks={"1": 3, "4": 7}))
    assert last is not None and last.number == 7
    assert last_look(version(5)) is None and last_look(version(5, **{LOOKS: "torn"})) is None


def test_looks_of_a_year_are_counted_whatever_the_rows() -> None:
    day_ms = 86_400_000
    there = [replace(version(1, rows(0, 9)), made_ms=0)]
    there += [replace(version(n, rows(n, n + 9), {"1": 1}), made_ms=n * 100 * day_ms) for n in (2, 3, 4, 5)]
    assert looks_in_year(there, there[3], there[0]) == 3
    assert looks_in_year(there, there[4], there[0]) == 4, "the one of 300 days before counts, and no older one"
    assert looks_in_year(there[:2], replace(version(9), made_ms=0), there[0]) == 1, "a later one does not count"


def test_the_newest_audited_rows_are_those_at_the_end_of_their_file() -> None:
    test = rows(0, 50) + [Row(f"a{n}", f"a{n}", "a", f"audits.jsonl:{(n * 7) % 500 + 1}") for n in range(500)]
    newest = newest_audited(test, "audits.jsonl")
    assert len(newest) == NEWEST and newest == sorted(newest)
    lines = {int(test[place].origin.rpartition(":")[2]) for place in newest}
    assert lines == set(range(501 - NEWEST, 501))
    assert newest_audited(test[: 50 + LEAST_NEWEST - 1], "audits.jsonl") == []
