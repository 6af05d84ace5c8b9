"""Makes the tickets in order of time, and the truth about each."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from tailtune.samples.dice import Dice
from tailtune.samples.support_tickets import calendar, duplicates, noise
from tailtune.samples.support_tickets.bank import Bank, Category, load
from tailtune.samples.support_tickets.compose import Moment, contrast, dress, plain
from tailtune.samples.support_tickets.grammar import fill

SEED = 20260504
TICKETS = 12_000
EMPTY_SHARE = 0.003
OVER_LONG_SHARE = 0.003
DUPLICATE_SHARE = 0.06
EXACT_SHARE = 0.2
WRONG_LABEL_SHARE = 0.048
WRONG_IS_NEAR_SHARE = 0.75
CONTRAST_SHARE = 0.065
OVER_LONG_CHARS = 2_000
DUPLICATE_WINDOW = 1_500
FRESH_ATTEMPTS = 8

Kind = Literal["normal", "contrast", "near_duplicate", "exact_duplicate", "empty", "over_long"]


@dataclass(frozen=True, slots=True)
class Ticket:
    """One per ticket: what is written to the data file, and the truth about it."""

    created_at: datetime
    text: str
    label: str
    true_label: str
    kind: Kind
    near_duplicate_of: int | None = None
    """Line of the ticket it repeats, from 1."""


@dataclass(slots=True)
class _Writer:
    """Holds what the next ticket depends on: the dice, the phrases and the tickets so far."""

    bank: Bank = field(default_factory=load)
    dice: Dice = field(default_factory=lambda: Dice(SEED))
    tickets: list[Ticket] = field(default_factory=list)
    seen: duplicates.Seen = field(default_factory=duplicates.Seen)

    def next(self, at: datetime) -> Ticket:
        """Draws what kind of ticket comes next and writes it."""
        draw = self.dice.below(1000) / 1000
        if draw < EMPTY_SHARE:
            label = self._category(at).label
            return Ticket(at, noise.empty(self.dice), label, label, "empty")
        if draw < EMPTY_SHARE + OVER_LONG_SHARE:
            return self._over_long(at)
        if draw < EMPTY_SHARE + OVER_LONG_SHARE + DUPLICATE_SHARE and len(self.tickets) > 50:
            again = self._repeated(at)
            if again:
                return again
        return self._fresh(at)

    def _category(self, at: datetime) -> Category:
        categories = tuple(self.bank.categories.values())
        late = calendar.launched(at)
        return self.dice.weighted(categories, [one.share_after_launch if late else one.share for one in categories])

    def _fresh(self, at: datetime) -> Ticket:
        category, moment = self._category(at), Moment(self.dice, calendar.launched(at))
        kind: Kind = "contrast" if self.dice.chance(CONTRAST_SHARE) else "normal"
        for _ in range(FRESH_ATTEMPTS):
            matter = contrast(self.bank, category, moment) if kind == "contrast" else plain(self.bank, category, moment)
            text = noise.unicode_forms(noise.roughen(dress(self.bank, matter, moment), self.dice), self.dice)
            if self.seen.is_new(category.label, text):
                break
        return Ticket(at, text, self._given_label(category), category.label, kind)

    def _over_long(self, at: datetime) -> Ticket:
        category, moment = self._category(at), Moment(self.dice, calendar.launched(at))
        lines = [plain(self.bank, category, moment), "Here is the log:"]
        least_chars = OVER_LONG_CHARS + self.dice.between(50, 2_500)
        while sum(len(line) + 1 for line in lines) < least_chars:
            lines.append(fill(self.dice.pick(noise.LOG_LINES), self.dice, launched=False))
        return Ticket(at, "\n".join(lines), category.label, category.label, "over_long")

    def _repeated(self, at: datetime) -> Ticket | None:
        first = self.dice.between(max(0, len(self.tickets) - DUPLICATE_WINDOW), len(self.tickets) - 1)
        source = self.tickets[first]
        if source.kind not in ("normal", "contrast"):
            return None
        exact = self.dice.chance(EXACT_SHARE)
        text = source.text if exact else duplicates.nearly(source.text, self.dice)
        if text is None:
            return None
        return Ticket(
            at,
            text,
            source.label,
            source.true_label,
            "exact_duplicate" if exact else "near_duplicate",
            first + 1,
        )

    def _given_label(self, category: Category) -> str:
        """The label as it was assigned: sometimes a neighbour's, rarely any other."""
        if not self.dice.chance(WRONG_LABEL_SHARE):
            return category.label
        if self.dice.chance(WRONG_IS_NEAR_SHARE):
            return self.dice.pick(category.near)
        return self.dice.pick([label for label in self.bank.categories if label != category.label])


def generate() -> list[Ticket]:
    """Makes all tickets in order of time; the same list on every machine."""
    writer = _Writer()
    for at in calendar.arrival_times(TICKETS, writer.dice):
        writer.tickets.append(writer.next(at))
    return writer.tickets
