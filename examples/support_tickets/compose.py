"""Writes one ticket text: the matter, said plainly or against something else, and what surrounds it."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..dice import Dice
from .bank import Bank, Category
from .grammar import fill, sentence

BACKGROUND_SHARE = 0.03
SUBJECT_SHARE = 0.62
STATED_SHARE = 0.75
GREETING_SHARE = 0.2
CONTACT_SHARE = 0.055
TAIL_SHARE = 0.1
SIGNATURE_SHARE = 0.11
OTHER_IS_NEAR_SHARE = 0.65
RENAMED_SHARE = 0.6

# What the launch renamed in the product, so customers' words change with it.
RENAMED = (
    ("the planner", "the control room"),
    ("the dashboard", "the cockpit"),
    ("mobile app", "Hallwick Go app"),
)


@dataclass(frozen=True, slots=True)
class Moment:
    """One per ticket: what the writer's world looks like."""

    dice: Dice
    launched: bool


def plain(bank: Bank, category: Category, moment: Moment) -> str:
    """States the matter directly, sometimes under a subject."""
    dice = moment.dice
    matter = _matter(category, "", moment)
    if not dice.chance(STATED_SHARE):
        return sentence(fill(dice.pick(bank.styles["requests"]), dice, moment.launched, matter))
    core = sentence(fill(dice.pick(category.cores), dice, moment.launched))
    if dice.chance(SUBJECT_SHARE):
        return f"{fill(dice.pick(bank.styles['subjects']), dice, moment.launched, matter)} {core}"
    return core


def contrast(bank: Bank, category: Category, moment: Moment) -> str:
    """States the matter next to another one that is not meant: only their order and roles tell which."""
    other = _other(bank, category, moment)
    matter = _matter(category, "", moment) | _matter(other, "o_", moment)
    matter["core"] = sentence(fill(moment.dice.pick(category.cores), moment.dice, moment.launched))
    return sentence(fill(moment.dice.pick(bank.styles["frames"]), moment.dice, moment.launched, matter))


def dress(bank: Bank, matter: str, moment: Moment) -> str:
    """Adds greeting, background, contact data, a tail and a signature, each for some tickets only."""
    dice = moment.dice

    def maybe(share: float, kind: str) -> list[str]:
        return [fill(dice.pick(bank.styles[kind]), dice, moment.launched)] if dice.chance(share) else []

    opening = maybe(GREETING_SHARE, "greetings")
    late = moment.launched and dice.chance(0.4)
    background = maybe(BACKGROUND_SHARE + 0.04 * late, "launch_background" if late else "background")
    body = [*background, matter] if dice.chance(0.5) else [matter, *background]
    body += maybe(TAIL_SHARE, "tails") + maybe(CONTACT_SHARE, "contacts")
    closing = maybe(SIGNATURE_SHARE, "signatures")
    return _renamed(_joined(opening, " ".join(body), closing, dice), moment)


def _joined(opening: Sequence[str], body: str, closing: Sequence[str], dice: Dice) -> str:
    """Puts greeting and signature on lines of their own, or not."""
    gap = dice.pick((" ", "\n", "\n\n"))
    return gap.join((*opening, body, *closing))


def _matter(category: Category, prefix: str, moment: Moment) -> dict[str, str]:
    """Expands a topic and a want of a category."""
    dice = moment.dice
    return {
        f"{prefix}topic": fill(dice.pick(category.topics), dice, moment.launched),
        f"{prefix}want": fill(dice.pick(category.wants), dice, moment.launched),
    }


def _other(bank: Bank, category: Category, moment: Moment) -> Category:
    """Draws the category that is mentioned but not meant."""
    dice = moment.dice
    labels = tuple(bank.categories)
    label = dice.pick(category.near if dice.chance(OTHER_IS_NEAR_SHARE) else labels)
    while label == category.label or (not moment.launched and label.startswith("relay")):
        label = dice.pick(labels)
    return bank.categories[label]


def _renamed(text: str, moment: Moment) -> str:
    """Says the new names of renamed parts in most tickets after the launch."""
    if moment.launched and moment.dice.chance(RENAMED_SHARE):
        for old, new in RENAMED:
            text = text.replace(old, new)
    return text
