"""Makes the claims in order of time, and the truth about each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ..dice import Dice
from . import calendar, duplicates, forms, mistakes, noise, prose
from .bank import Bank, load
from .claims import claim_of
from .people import CUSTOMERS, customer
from .pieces import Draft, Entity
from .telling import Teller

SEED = 20260318
CLAIMS = 15_000
EMPTY_SHARE = 0.002
EXACT_SHARE = 0.005
NEAR_SHARE = 0.032
LONG_SHARE = 0.02
LONG_CHARS = 2_750
DUPLICATE_WINDOW = 1_500
CHANNELS = ("email", "call", "report", "form")
CHANNEL_SHARES = (30, 27, 15, 28)

Kind = Literal["normal", "near_duplicate", "exact_duplicate", "empty", "over_long"]


@dataclass(frozen=True, slots=True)
class Claim:
    """One per claim: what is written to the data file, and the truth about it."""

    received_at: datetime
    channel: str
    policyholder: str
    text: str
    values: Mapping[str, Any]
    entities: tuple[Entity, ...]
    true_values: Mapping[str, Any]
    true_entities: tuple[Entity, ...]
    kind: Kind
    draft: Draft
    near_duplicate_of: int | None = None
    """Line of the claim it repeats, from 1."""

    @property
    def wrong_fields(self) -> list[str]:
        """Fields whose value or spans were noted wrongly, or missed, or noted without being said."""
        names = {*self.values, *self.true_values}
        wrong = {name for name in names if self.values.get(name) != self.true_values.get(name)}
        marked = set(self.entities).symmetric_difference(self.true_entities)
        return sorted(wrong | {one.label for one in marked})


@dataclass(slots=True)
class _Writer:
    """Holds what the next claim depends on: the dice, the phrases and the claims so far."""

    bank: Bank = field(default_factory=load)
    dice: Dice = field(default_factory=lambda: Dice(SEED))
    claims: list[Claim] = field(default_factory=list)

    def next(self, at: datetime) -> Claim:
        """Draws what kind of claim comes next and writes it."""
        draw = self.dice.below(1000) / 1000
        if draw < EMPTY_SHARE:
            return self._empty(at)
        if draw < EMPTY_SHARE + EXACT_SHARE + NEAR_SHARE and len(self.claims) > 50:
            again = self._repeated(at, exact=draw < EMPTY_SHARE + EXACT_SHARE)
            if again:
                return again
        return self._fresh(at)

    def _empty(self, at: datetime) -> Claim:
        key, channel = customer(self.dice.below(CUSTOMERS)).key, self.dice.pick(CHANNELS)
        return Claim(at, channel, key, noise.empty(self.dice), {}, (), {}, (), "empty", Draft())

    def _fresh(self, at: datetime) -> Claim:
        dice = self.dice
        one, channel = customer(dice.below(CUSTOMERS)), dice.weighted(CHANNELS, CHANNEL_SHARES)
        teller = Teller(self.bank, claim_of(self.bank, one, at, channel, dice), channel, dice)
        long = channel == "report" and dice.chance(LONG_SHARE * 100 / CHANNEL_SHARES[2])
        if channel == "form":
            forms.write(teller, "new" if at >= calendar.NEW_FORM else "old")
        else:
            prose.write(teller)
        if long:
            prose.lengthen(teller, LONG_CHARS + dice.below(700))
        noise.roughen(teller.draft, channel, dice)
        return self._labelled(at, channel, one.key, teller.draft, "over_long" if long else "normal")

    def _labelled(
        self, at: datetime, channel: str, key: str, draft: Draft, kind: Kind, first: int | None = None
    ) -> Claim:
        text, entities, values = draft.finish()
        given, marked = values, entities
        if self.dice.chance(mistakes.CARELESS_SHARE):
            labels = mistakes.careless(text, values, entities, self.dice)
            given, marked = labels.values, tuple(labels.entities)
        return Claim(at, channel, key, text, given, marked, values, entities, kind, draft, first)

    def _repeated(self, at: datetime, exact: bool) -> Claim | None:
        first = self.dice.between(max(0, len(self.claims) - DUPLICATE_WINDOW), len(self.claims) - 1)
        source = self.claims[first]
        if source.kind != "normal":
            return None
        kind: Kind = "exact_duplicate" if exact else "near_duplicate"
        draft = source.draft if exact else duplicates.nearly(source.draft, self.bank, self.dice)
        return self._labelled(at, source.channel, source.policyholder, draft, kind, first + 1)


def generate(count: int = CLAIMS) -> list[Claim]:
    """Makes `count` claims in order of time; the same list on every machine."""
    writer = _Writer()
    for at in calendar.arrival_times(count, writer.dice):
        writer.claims.append(writer.next(at))
    return writer.claims
