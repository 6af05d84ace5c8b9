"""Labels as annotators give them: five are careful, the sixth confuses roles, misses fields and cuts names short."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tailtune.samples.dice import Dice
from tailtune.samples.insurance_claims.bank import load
from tailtune.samples.insurance_claims.pieces import ITEM_FIELDS, Entity, plain

CARELESS_SHARE = 1 / 6
"""Share of rows that went to the careless annotator."""
SPARED_SHARE = 0.08
"""Share of the careless annotator's rows that are right all the same."""
MISTAKES = (1, 1, 2, 2, 3, 3)

_ROLES: Sequence[Sequence[str]] = (
    ("loss_date", "report_date", "inspection_date", "policy_start_date"),
    ("policyholder_name", "claimant_name", "driver_name", "third_party_name", "adjuster_name"),
    ("claimed_amount", "repair_estimate", "deductible"),
    ("claimant_phone", "third_party_phone"),
    ("property_street", "property_city"),
    ("vehicle_make", "vehicle_model"),
)
_YEAR = re.compile(r"\d{4}")
_CUT = (*_ROLES[1], "third_party_insurer", "property_street")


@dataclass(slots=True)
class Labels:
    """One per row: what an annotator has written down so far."""

    text: str
    values: dict[str, Any]
    entities: list[Entity]


def careless(text: str, values: Mapping[str, Any], entities: Sequence[Entity], dice: Dice) -> Labels:
    """Labels with some mistakes, as the careless annotator makes them; at times none."""
    labels = Labels(text, dict(values), list(entities))
    if dice.chance(SPARED_SHARE):
        return labels
    kinds: tuple[Callable[[Labels, Dice], bool], ...] = (_swap, _neighbour, _flip, _miss, _cut, _miss, _move)
    made = tried = 0
    aimed = dice.pick(MISTAKES)
    while made < aimed and tried < 20:
        made += dice.pick(kinds)(labels, dice)
        tried += 1
    return labels


def _relabel(labels: Labels, names: Mapping[str, str]) -> None:
    labels.entities = [one._replace(label=names.get(one.label, one.label)) for one in labels.entities]
    labels.values = {names.get(name, name): value for name, value in labels.values.items()}


def _movable(labels: Labels, name: str) -> bool:
    """Whether a value could stand in another role: it is there, and a date is told with its year."""
    surfaces = [labels.text[one.start : one.end] for one in labels.entities if one.label == name]
    return name in labels.values and (not name.endswith("_date") or all(_YEAR.search(one) for one in surfaces))


def _swap(labels: Labels, dice: Dice) -> bool:
    """Takes two roles of the same kind for each other."""
    pairs = [
        (one, other)
        for group in _ROLES
        for at, one in enumerate(group)
        for other in group[at + 1 :]
        if _movable(labels, one) and _movable(labels, other)
    ]
    if not pairs:
        return False
    one, other = dice.pick(pairs)
    _relabel(labels, {one: other, other: one})
    return True


def _move(labels: Labels, dice: Dice) -> bool:
    """Takes a value for that of another role, which the text does not say."""
    moves = [
        (one, other)
        for group in _ROLES[:4]
        for one in group
        for other in group
        if _movable(labels, one) and other not in labels.values
    ]
    if not moves:
        return False
    one, other = dice.pick(moves)
    _relabel(labels, {one: other})
    return True


def _neighbour(labels: Labels, dice: Dice) -> bool:
    """Chooses a value next to the right one."""
    statements = load().statements
    names = [name for name in statements if isinstance(labels.values.get(name), str)]
    if not names:
        return False
    name = dice.pick(names)
    choices = list(statements[name])
    at = choices.index(labels.values[name])
    labels.values[name] = (
        choices[at + 1] if at == 0 or (at < len(choices) - 1 and dice.chance(0.5)) else choices[at - 1]
    )
    return True


def _flip(labels: Labels, dice: Dice) -> bool:
    """Says yes for no."""
    names = [name for name, value in labels.values.items() if isinstance(value, bool)]
    if not names:
        return False
    name = dice.pick(names)
    labels.values[name] = not labels.values[name]
    return True


def _miss(labels: Labels, dice: Dice) -> bool:
    """Leaves a field out."""
    names = list(labels.values)
    if len(names) < 2:
        return False
    name = dice.pick(names)
    del labels.values[name]
    labels.entities = [one for one in labels.entities if one.label != name]
    return True


def _cut(labels: Labels, dice: Dice) -> bool:
    """Marks a name or an item one word too short."""
    places = [
        at
        for at, one in enumerate(labels.entities)
        if one.label in (*_CUT, "damaged_items") and " " in labels.text[one.start : one.end].strip()
    ]
    if not places:
        return False
    at = dice.pick(places)
    one = labels.entities[at]
    surface = labels.text[one.start : one.end]
    if dice.chance(0.5):
        cut = one._replace(end=one.start + len(surface[: surface.rindex(" ")].rstrip()))
    else:
        cut = one._replace(start=one.end - len(surface[surface.index(" ") :].lstrip()))
    labels.entities[at] = cut
    marked = [plain(labels.text[this.start : this.end]) for this in labels.entities if this.label == one.label]
    labels.values[one.label] = list(dict.fromkeys(marked)) if one.label in ITEM_FIELDS else marked[-1]
    if one.label not in ITEM_FIELDS:
        labels.entities = [this for this in labels.entities if this.label != one.label or this == cut]
    else:
        return len(marked) == len(dict.fromkeys(word.casefold() for word in marked))
    return True
