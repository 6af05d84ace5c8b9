from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tailtune.config.model import PII, Pii
from tailtune.predictors.prepare import scrub as scrub_kinds
from tailtune.predictors.prepare.scrub import KINDS, iban_ok, luhn


def scrub(text: str, kinds: Sequence[Pii] = PII) -> tuple[str, tuple[Pii, ...]]:
    return scrub_kinds(text, kinds)


def test_there_is_a_pattern_for_every_kind_a_spec_may_name() -> None:
    assert sorted(PII) == sorted(KINDS)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("mail ann.o'hara+x@mail.example.co.uk.", "mail ann.o'<email>.", "email"),
        ("<JOE_99@EXAMPLE.COM>", "<<email>>", "email"),
        ("card 4111 1111 1111 1111 expired", "card <card> expired", "card"),
        ("378282246310005", "<card>", "card"),
        ("5555-5555-5555-4444.", "<card>.", "card"),
        ("to DE89 3704 0044 0532 0130 00 please", "to <iban> please", "iban"),
        ("de89370400440532013000 please", "<iban> please", "iban"),
        ("de89 3704 0044 0532 0130 00 plea", "<iban> plea", "iban"),
        ("GB33BUKB20201555555555", "<iban>", "iban"),
        ("from 192.168.0.17, again", "from <ip>, again", "ip"),
        ("host 10.0.0.1.", "host <ip>.", "ip"),
        ("2001:db8::ff00:42:8329 is down", "<ip> is down", "ip"),
        ("call +49 (0)30 901820 now", "call <phone> now", "phone"),
        ("0044 20 7946 0958", "<phone>", "phone"),
        ("(415) 867-5309", "<phone>", "phone"),
        ("415-867-5309 or 1-415-867-5309", "<phone> or <phone>", "phone"),
        ("reach me on 07911 123456", "reach me on <phone>", "phone"),
        ("(020) 7946 0958", "<phone>", "phone"),
        ("phone: 5550188123", "phone: <phone>", "phone"),
        ("My mobile number is 8675309", "My mobile number is <phone>", "phone"),
    ],
)
def test_personal_data_becomes_a_token(text: str, expected: str, kind: str) -> None:
    assert scrub(text) == (expected, (kind,))


@pytest.mark.parametrize(
    "text",
    [
        "order 5550188123 is late",
        "order number 415-867-5309",
        "ticket #415-867-5309",
        "ref: 0030 123456789",
        "invoice 2024-000123-77",
        "in 2024 and 2025, since 1999-12-31 23:59:59",
        "on 12/05/2024 at 10:30:45",
        "I paid 1,299.00 and then 12.50, $1299.99 or 1.299,00 EUR",
        "tracking 1Z999AA10123456784",
        "the number 4111111111111112 has a wrong check digit",
        "order 7992739871300007 passes no issuer",
        "version 10.2.0.1 and v1.2.3.4 and 1.2.3.4.5",
        "300.1.2.3",
        "std::vector a::b ::",
        "DE89 3704 0044 0532 0130 01 has a wrong checksum",
        "write to me@home or @support",
        "the code is 123456",
        "5000000 rows, 1000000000 bytes",
        "10 20 30 40 50 60",
    ],
)
def test_order_numbers_years_prices_and_versions_stay(text: str) -> None:
    assert scrub(text) == (text, ())


def test_only_the_kinds_asked_for_are_replaced() -> None:
    text = "a@b.de 4111 1111 1111 1111 10.0.0.1"
    assert scrub(text, ("ip",)) == ("a@b.de 4111 1111 1111 1111 <ip>", ("ip",))
    assert scrub(text, ()) == (text, ())


def test_every_kind_in_one_text_is_named_once() -> None:
    text = "a@b.de c@d.de DE89370400440532013000 4111111111111111 10.0.0.1 +49 30 9018200"
    assert scrub(text) == ("<email> <email> <iban> <card> <ip> <phone>", ("email", "iban", "card", "ip", "phone"))


@given(st.integers(10**14, 10**15 - 1))
def test_luhn_takes_exactly_one_of_ten_check_digits(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


@given(st.integers(0, 10**18 - 1), st.integers(0, 17), st.integers(1, 9))
def test_a_mistyped_digit_breaks_an_iban(account: int, place: int, by: int) -> None:
    bban = f"{account:018d}"
    check = 98 - int(f"{bban}131400") % 97
    iban = f"DE{check:02d}{bban}"
    assert iban_ok(iban)
    wrong = bban[:place] + str((int(bban[place]) + by) % 10) + bban[place + 1 :]
    assert not iban_ok(f"DE{check:02d}{wrong}")


@given(
    st.text(alphabet="abc xyz.,!?", max_size=30),
    st.from_regex(r"[a-z][a-z0-9._+-]{0,15}@[a-z]{2,10}\.(com|org|de)", fullmatch=True),
)
def test_no_address_survives(around: str, address: str) -> None:
    scrubbed, kinds = scrub(f"{around} {address} {around}")
    assert address not in scrubbed
    assert kinds == ("email",)


@given(st.text(alphabet="abc 0123456789+-().,@:#<>", max_size=60))
def test_scrubbing_twice_is_scrubbing_once(text: str) -> None:
    once, kinds = scrub(text)
    assert (once == text) == (kinds == ())
    tokens = ("<email>", "<phone>", "<card>", "<iban>", "<ip>")
    assume(not any(token in text for token in tokens))
    assert all(f"<{kind}>" in once for kind in kinds)


@pytest.mark.parametrize("unit", ["a.", "1 ", "1-", "a@", "12.", "ab:", "+1", "(1", "de12 ", "call me ", "#"])
def test_no_text_makes_the_patterns_slow(unit: str) -> None:
    text = unit * (20_000 // len(unit))
    began = time.process_time()
    scrub(text)
    assert time.process_time() - began < 2


CUES = [" no.", " no", " nr.", " nr", ".", ":", " is", " number", " no. nr. is:", ". ", " no.:", "(", "+", " "]
HANG = """
import sys
from tailtune.predictors.prepare import scrub
for tail in sys.argv[1:]:
    for end in (" 12 x 34567", " 12 x 3456789", "", " 5550188123"):
        for cue in ("my phone", "call me back at", "tel", "cell"):
            scrub(cue + tail * 40 + end, ("phone",))
    scrub("my phone" + tail * (100_000 // len(tail)) + " 12 x 34567", ("phone",))
print("done")
"""


def test_no_tail_of_a_cue_makes_the_search_hang() -> None:
    """In a process of its own: time that doubles with every step would never come back."""
    command = [sys.executable, "-c", HANG, *CUES]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["done"], done.stderr


@pytest.mark.parametrize("tail", [" no. ", " nr. ", " number is ", ": ", ". ", " no.: ", ".", ":", " is", " no.:"])
def test_a_cue_may_have_a_tail(tail: str) -> None:
    assert scrub(f"my phone{tail}5550188123") == (f"my phone{tail}<phone>", ("phone",))
