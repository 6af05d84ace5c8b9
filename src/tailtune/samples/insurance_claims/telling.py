"""Fills the slots of a phrase: with a claim's facts, with how the writer calls things, or with what is no fact."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache

from tailtune.samples.dice import Dice
from tailtune.samples.grammar import capital, choose
from tailtune.samples.insurance_claims import surfaces
from tailtune.samples.insurance_claims.bank import Bank
from tailtune.samples.insurance_claims.claims import Claim
from tailtune.samples.insurance_claims.decoys import DECOYS
from tailtune.samples.insurance_claims.pieces import ITEM_FIELDS, Draft, Piece

HOMES = {"house": ("house", "home"), "apartment": ("flat", "apartment"), "shop": ("shop", "store", "restaurant")} | {
    "office": ("office", "office"),
    "warehouse": ("warehouse", "workshop"),
}
ON = {"loss_on": "loss_date", "inspection_on": "inspection_date"}
NUMBERED = ("policy_number", "claim_number", "police_report_number", "vehicle_plate", "vin")

COUNTED_SHARES = {"email": 0.45, "call": 0.4, "report": 0.0, "form": 0.06}
"""Channel → how often a day is counted from the day of the report."""
NO_YEAR_SHARE = 0.2

_SLOT = re.compile(r"\{(\w+)(\^?)\}")


@lru_cache(maxsize=8192)
def slots_of(phrase: str) -> tuple[str, ...]:
    """Names of the slots of a phrase, in all of its branches."""
    return tuple(match[1] for match in _SLOT.finditer(phrase))


@dataclass(slots=True)
class Teller:
    """One per text: the claim, who writes about it, and what has been written so far."""

    bank: Bank
    claim: Claim
    channel: str
    dice: Dice
    draft: Draft = field(default_factory=Draft)
    calls: dict[str, str] = field(default_factory=dict)
    """Slot → how this writer calls it."""

    def __post_init__(self) -> None:
        """Settles who speaks: 'I' or 'we', 'the vehicle' or 'the car'."""
        for slot, forms in self.bank.voices[self.channel].items():
            self.calls[slot] = self.dice.pick(forms)
        self.calls["drv"] = "the driver" if "driver_name" in self.claim.values else "{we}"
        self.calls["names_home"] = "yes" if self.dice.chance(0.75) else ""

    def can(self, phrase: str) -> bool:
        """Whether the claim has a fact for every slot, none of them said before."""
        names = slots_of(phrase)
        return all(self._open(name) for name in names)

    def _open(self, name: str) -> bool:
        if name == "item":
            return bool(self._rest("damaged_items"))
        if name in ON:
            return not self.draft.says(ON[name])
        if name == "event":
            return not self.draft.says("peril")
        if name in ITEM_FIELDS:
            return bool(self._rest(name))
        if name in DECOYS or name in self.calls or name == "home":
            return True
        return name in self.claim.values and not self.draft.says(name)

    def _rest(self, name: str) -> list[str]:
        stated = [piece.text for piece in self.draft.pieces if piece.label == name]
        return [one for one in self.claim.values.get(name, ()) if one not in stated]

    def tell(self, phrase: str) -> list[Piece]:
        """Expands one phrase into pieces, and notes the classified fields that they say."""
        chosen = choose(phrase, self.dice)
        pieces: list[Piece] = []
        at = 0
        for match in _SLOT.finditer(chosen):
            if match.start() > at:
                pieces.append(Piece(chosen[at : match.start()]))
            filled = self._slot(match[1])
            if match[2] and filled:
                filled[0] = filled[0]._replace(text=capital(filled[0].text))
            pieces.extend(filled)
            at = match.end()
        if at < len(chosen):
            pieces.append(Piece(chosen[at:]))
        return pieces

    def _slot(self, name: str) -> list[Piece]:
        if name in DECOYS:
            return [Piece(DECOYS[name](self.claim, self.dice))]
        if name == "event":
            return self._event()
        if name == "home":
            return self._home()
        if name in self.calls:
            return self.tell(self.calls[name])
        if name == "item":
            items = self._rest("damaged_items") or self.claim.values["damaged_items"]
            return [Piece(items[0], "damaged_items")]
        if name in ON:
            return self._on(ON[name])
        if name in ITEM_FIELDS:
            return self._list(name)
        return [self.fact(name)]

    def _event(self) -> list[Piece]:
        event = self.claim.event
        self.draft.chosen.update(event.says)
        return self.tell(self.dice.pick(event.clauses))

    def _home(self) -> list[Piece]:
        kind = self.claim.values.get("property_type")
        if kind is None or not self.calls["names_home"]:
            return self.tell(self.calls["premises"])
        self.draft.chosen["property_type"] = kind
        return self.tell(f"{self.calls['our']} {self.dice.pick(HOMES[kind])}")

    def _on(self, name: str) -> list[Piece]:
        """A day with its preposition: 'on 4 May', but 'yesterday'."""
        piece = self.fact(name)
        counted = not any(char.isdigit() for char in piece.text) or "ago" in piece.text
        return [piece] if counted else [Piece("on "), piece]

    def _list(self, name: str) -> list[Piece]:
        return listed(self._rest(name), name, self.dice)

    def fact(self, name: str) -> Piece:
        """Writes the value of a span field as this writer does."""
        value, dice = self.claim.values[name], self.dice
        if name.endswith("_date"):
            return self._date(name, date.fromisoformat(value))
        if name in ("claimed_amount", "repair_estimate", "deductible"):
            return Piece(surfaces.written_money(value, dice), name, value)
        if name == "loss_time":
            return Piece(surfaces.written_time(value, dice), name, value)
        if name.endswith("_phone"):
            return Piece(surfaces.written_phone(value, dice), name, value)
        if name in NUMBERED:
            return Piece(surfaces.written_id(value, name, dice), name, value)
        if name == "rooms_affected":
            return Piece(surfaces.written_count(value, dice), name, value)
        if name == "mileage":
            return Piece(surfaces.written_mileage(value, dice), name, value)
        if name == "property_postcode":
            return Piece(self.claim.customer.place.postcode, name, value)
        return Piece(str(value), name, value if isinstance(value, int) or name == "claimant_email" else None)

    def _date(self, name: str, day: date) -> Piece:
        dice, claim = self.dice, self.claim
        anchor = date.fromisoformat(claim.values["report_date"])
        if name == "loss_date" and claim.dated:
            hour = int(claim.values["loss_time"][:2])
            counted = dice.chance(COUNTED_SHARES[self.channel])
            words = surfaces.days_before(day, anchor, hour, dice) if counted else None
            if words:
                return Piece(words, name, day.isoformat())
            if dice.chance(NO_YEAR_SHARE):
                style: surfaces.DateStyle = "month_first" if claim.style in ("us", "month_first") else "day_first"
                return Piece(surfaces.written_date(day, style, dice, year=False), name, day.isoformat())
        if name == "inspection_date" and claim.dated and (day - anchor).days == 1 and self.channel != "report":
            return Piece("tomorrow", name, day.isoformat())
        return Piece(surfaces.written_date(day, claim.style, dice), name, day.isoformat())

    def say(self, name: str) -> list[Piece] | None:
        """Says a classified field in a sentence of its own; None where the claim has no such fact."""
        value = self.claim.values.get(name)
        bodies = self.bank.statements[name].get(value)
        if value is None or bodies is None or name in self.draft.chosen:
            return None
        own, general = () if self.channel == "form" else bodies.get(self.channel, ()), bodies.get("any", ())
        phrases = own if own and (not general or self.dice.chance(0.6)) else general
        if not phrases:
            return None
        pieces = self.tell(self.dice.pick(phrases))
        self.draft.chosen[name] = value
        return pieces


def listed(words: Sequence[str], label: str, dice: Dice, last: str = "") -> list[Piece]:
    """Writes a list: 'a, b and c'."""
    last = last or dice.pick((" and ", " and ", ", ", " & "))
    pieces: list[Piece] = []
    for at, word in enumerate(words):
        if at:
            pieces.append(Piece(last if at == len(words) - 1 else ", "))
        pieces.append(Piece(word, label))
    return pieces
