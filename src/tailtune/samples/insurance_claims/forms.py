"""Form dumps: one row a field, in the old layout or in the new one that came with June."""

from typing import Any

from tailtune.samples.insurance_claims.pieces import Piece, text_of
from tailtune.samples.insurance_claims.plan import FILLED, STATED
from tailtune.samples.insurance_claims.telling import Teller, listed

STORY_SHARE = 0.45
ABSENT_SHARE = 0.06

_SEPARATORS = {"old": (" | ", "\n", "; ", " / "), "new": ("\n", " >> ", " · ")}
_MARKS = {"old": (": ", ": ", " : ", ":"), "new": (" ", " = ", " -> ")}
Row = list[Piece]


def write(teller: Teller, layout: str) -> None:
    """Writes a filled form into the teller's draft."""
    dice, draft = teller.dice, teller.draft
    separator, mark = dice.pick(_SEPARATORS[layout]), dice.pick(_MARKS[layout])
    prefix = "new_" if layout == "new" else ""
    rows = [row for row in (_row(teller, name, layout, mark) for name in _order(teller, layout)) if row]
    if (dice.chance(STORY_SHARE) and not draft.says("peril")) or dice.chance(0.12):
        story = _story(teller, dice.pick(teller.bank.extras[f"{prefix}story"]) + mark)
        rows.insert(len(rows) if dice.chance(0.7) else dice.below(len(rows) + 1), story)
    for _ in range(dice.weighted((0, 1, 2), (60, 28, 12))):
        extra = dice.pick(teller.bank.extras[f"{prefix}rows"]).replace(": ", mark)
        rows.insert(dice.below(len(rows) + 1), teller.tell(extra))
    title = dice.pick(teller.bank.extras[f"{prefix}titles"]) if dice.chance(0.3) else ""
    draft.pieces.clear()
    draft.put(f"{title}\n" if title else "")
    for at, row in enumerate(rows):
        draft.put(separator if at else "")
        draft.add(*row)


def _order(teller: Teller, layout: str) -> list[str]:
    """Fields to fill in, in the order of the layout: blocks of the form are moved about."""
    dice = teller.dice
    names = [name for name, share in FILLED.items() if dice.chance(share / 100)]
    if "fault" in names and "peril" not in names:
        names.insert(names.index("fault"), "peril")
    if teller.claim.dated:
        names.insert(0 if dice.chance(0.6) else dice.below(len(names) + 1), "report_date")
    cut = dice.below(len(names) + 1) if dice.chance(0.5) else 0
    names = names[cut:] + names[:cut]
    if layout == "new":
        names.reverse()
    return names


def _row(teller: Teller, name: str, layout: str, mark: str) -> Row:
    """One row, or nothing where the claim has no such fact."""
    dice, claim, draft = teller.dice, teller.claim, teller.draft
    label = Piece(dice.pick(teller.bank.labels[layout][name]) + mark)
    value = claim.values.get(name)
    if value is None or _contradicts(teller, name):
        empty = Piece(dice.pick(teller.bank.extras["absent"]))
        return [label, empty] if name not in teller.bank.statements and dice.chance(ABSENT_SHARE) else []
    if name in teller.bank.statements:
        draft.chosen[name] = value
        if name == "fault" and value != "policyholder":
            draft.chosen["third_party_involved"] = True
        return [label, Piece(_box(teller, name, value))]
    if name == "police_report_number":
        draft.chosen["police_notified"] = True
    if name.startswith("third_party_"):
        draft.chosen["third_party_involved"] = True
    pieces = listed(value, name, dice) if isinstance(value, list) else [teller.fact(name)]
    draft.add(*pieces)
    return [label, *pieces]


def _contradicts(teller: Teller, name: str) -> bool:
    values = teller.claim.values
    return name == "police_report_number" and not values["police_notified"]


def _box(teller: Teller, name: str, value: Any) -> str:
    """What stands in the box of a classified field."""
    if isinstance(value, bool):
        return teller.dice.pick(teller.bank.extras["yes" if value else "no"])
    return text_of(teller.tell(teller.dice.pick(teller.bank.statements[name][value]["form"])))


def _story(teller: Teller, label: str) -> Row:
    """A box of free text: what happened, and sometimes one more statement."""
    pieces = [Piece(label), *teller.tell("{event^}.")]
    name = teller.dice.pick(tuple(STATED))
    if teller.dice.chance(0.5) and name not in teller.draft.chosen:
        more = teller.say(name)
        pieces += [Piece(" "), *more] if more else []
    return pieces
