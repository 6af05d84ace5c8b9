from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.services.endpoint import count_tokens

# True counts of the vocabularies cl100k and o200k, measured once: text → (cl100k, o200k).
KNOWN = {
    "I was charged twice for one month, please refund.": (11, 11),
    '{"label": "charged_after_cancelling"}': (10, 10),
    "INV-61574 GB29NWBK60161331926819": (14, 14),
    "PLEASE CANCEL MY SUBSCRIPTION": (6, 6),
    "Mein Fahrzeug wurde in der Königsstraße beschädigt.": (16, 11),
    "同じ請求書に対して二回支払いが行われました。": (24, 17),
    "С меня дважды списали деньги": (12, 7),
}


@pytest.mark.parametrize(
    ("text", "counts"), KNOWN.items(), ids=lambda value: value[:12] if isinstance(value, str) else ""
)
def test_it_is_rather_too_high_and_not_wildly(text: str, counts: tuple[int, int]) -> None:
    assert max(counts) <= count_tokens(text) <= 6 * min(counts)


def test_nothing_has_no_tokens_and_anything_has_some() -> None:
    assert count_tokens("") == 0
    assert count_tokens(" ") == 1
    assert count_tokens("\n\n\n") == 3


def test_scripts_without_spaces_are_counted_by_character() -> None:
    assert count_tokens("退款" * 100) == 100 * count_tokens("退款") >= 200


@given(st.text(), st.text())
def test_it_grows_with_the_text_and_stays_below_its_bytes(first: str, second: str) -> None:
    both = count_tokens(first + second)
    assert max(count_tokens(first), count_tokens(second)) <= both
    assert both <= max(1, len((first + second).encode("utf-8", "replace")))
