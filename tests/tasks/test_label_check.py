from __future__ import annotations

from tailtune.tasks.label_check import NameCheck


def faults(*checked: tuple[str, str]) -> list[str]:
    made = NameCheck(("billing", "login"), "models/x/labels.yaml", "data/x")
    for label, origin in checked:
        made.add(label, origin)
    return [str(fault) for fault in made.faults()]


def test_declared_labels_are_no_fault() -> None:
    assert faults(("billing", "a:1"), ("login", "a:2")) == []


def test_every_unknown_label_is_told_with_its_rows_and_the_nearest_known_one() -> None:
    rows = [("biling", f"a.csv:{i}") for i in range(2, 9)]
    assert faults(("spam", "a.csv:1"), *rows) == [
        "data/x/a.csv:2  label `biling` is not in models/x/labels.yaml; did you mean billing? "
        "(7 rows: a.csv:2, a.csv:3, a.csv:4, a.csv:5, a.csv:6 and 2 more)",
        "data/x/a.csv:1  label `spam` is not in models/x/labels.yaml, which has 2 labels (1 row: a.csv:1)",
    ]


def test_a_wrong_column_full_of_labels_is_told_in_short() -> None:
    found = faults(*((f"text {i}", f"a.csv:{i}") for i in range(1500)))
    assert len(found) == 21
    assert found[-1] == "data/x  and at least 980 more labels that are not in the set, on 1,480 rows"
