"""The phrase bank is rich enough, says only what it may, and expands without leftovers."""

import re
from datetime import UTC, datetime

import pytest

from tailtune.samples.dice import Dice
from tailtune.samples.insurance_claims.bank import PROSE, load
from tailtune.samples.insurance_claims.claims import Claim, claim_of
from tailtune.samples.insurance_claims.decoys import DECOYS
from tailtune.samples.insurance_claims.people import customer
from tailtune.samples.insurance_claims.pieces import text_of
from tailtune.samples.insurance_claims.plan import FILLED, STATED, TOPICS
from tailtune.samples.insurance_claims.telling import Teller

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
LEFTOVERS = re.compile(r"[{}^]")


def _ways(phrase: str) -> int:
    """How many texts the alternatives of a phrase give."""
    ways = 1
    for group in re.findall(r"\(([^()]*)\)", phrase):
        ways *= len(group.split("|"))
    return ways


def _claim(dice: Dice, event: str) -> Claim:
    """A claim with an event of a name: drawn until there is one."""
    for number in range(2_000):
        claim = claim_of(load(), customer(number), AT, "email", dice)
        if claim.event.name == event:
            return claim
    raise AssertionError(event)


def test_every_classified_value_is_said_in_fifteen_ways_or_more() -> None:
    found: dict[tuple[str, object], int] = {}
    for event in load().events:
        for name, value in event.says.items():
            found[name, value] = found.get((name, value), 0) + sum(map(_ways, event.clauses))
    for name, values in load().statements.items():
        for value, bodies in values.items():
            ways = sum(_ways(phrase) for kind, phrases in bodies.items() if kind != "form" for phrase in phrases)
            found[name, value] = found.get((name, value), 0) + ways
    assert {name for name, _ in found} == {*load().statements, "peril", "fault"}
    few = {key: ways for key, ways in found.items() if ways < 15 and key[0] != "property_type"}
    assert not few


def test_events_say_what_the_schema_can_hold() -> None:
    text = load().statements
    for event in load().events:
        assert event.says["peril"] in text["peril"], event.name
        assert event.items in load().words, event.name
        assert event.insured in ("motor", "property"), event.name


@pytest.mark.parametrize("event", [event.name for event in load().events])
def test_every_clause_expands_and_says_its_peril(event: str) -> None:
    dice = Dice(5)
    claim = _claim(dice, event)
    for clause in claim.event.clauses:
        teller = Teller(load(), claim, "email", dice)
        text = text_of(teller.tell(clause))
        assert text and not LEFTOVERS.search(text), clause


def test_every_sentence_has_slots_that_are_filled_and_nothing_left_over() -> None:
    dice, text = Dice(6), 0
    claims = [_claim(dice, event) for event in ("collision_by_other", "collision_by_own", "water", "theft")]
    for channel in PROSE:
        for topic, phrases in load().prose[channel].items():
            for phrase in phrases:
                tellers = [Teller(load(), claim, channel, dice) for claim in claims]
                able = [teller for teller in tellers if teller.can(phrase)]
                assert able or "driver_name" in phrase, (channel, topic, phrase)
                for teller in able:
                    assert not LEFTOVERS.search(text_of(teller.tell(phrase))), phrase
                    text += 1
    assert text > 500


def test_decoys_carry_no_label() -> None:
    dice = Dice(7)
    teller = Teller(load(), _claim(dice, "water"), "email", dice)
    for name in DECOYS:
        pieces = teller.tell(f"see {{{name}}}")
        assert len(pieces) == 2 and pieces[1].text and not any(piece.label for piece in pieces), name


def test_plans_and_forms_speak_of_topics_and_fields_that_exist() -> None:
    bank = load()
    for channel, plan in TOPICS.items():
        assert set(plan) <= set(bank.prose[channel]), channel
    assert set(STATED) <= set(bank.statements)
    assert {*FILLED, "report_date"} == set(bank.labels["old"]) == set(bank.labels["new"])
    assert len(bank.labels["old"]) == 45
    for name in bank.labels["old"]:
        assert not set(bank.labels["old"][name]) & set(bank.labels["new"][name]), name
