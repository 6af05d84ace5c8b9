import pytest

from tailtune.tasks.extraction.windows import CAPITAL, CODE, DIGITS, KINDS, LOWER, MARK, MIXED, UPPER, kind_of

CASES = {
    "claim": LOWER,
    "中文": LOWER,
    "ß": LOWER,
    "Ann": CAPITAL,
    "A": CAPITAL,
    "Émile": CAPITAL,
    "VIN": UPPER,
    "McKay": MIXED,
    "iPad": MIXED,
    "2026": DIGITS,
    "A12": CODE,
    "5k": CODE,
    "-": MARK,
    "👍": MARK,
    "…": MARK,
}


@pytest.mark.parametrize("word", CASES)
def test_kinds(word: str) -> None:
    assert kind_of(word) == CASES[word]


def test_every_kind_but_that_of_special_tokens_occurs() -> None:
    assert set(CASES.values()) == set(range(1, KINDS))
