"""Near-duplicates: what arrives when somebody sends almost the same text again."""

import re

from ..dice import Dice
from .bank import Bank
from .pieces import Draft, Piece

SWAPS = (("please", "kindly"), ("thanks", "thank you"), ("the", "this"), ("damage", "damages"), ("it", "this"))


def nearly(source: Draft, bank: Bank, dice: Dice) -> Draft:
    """Changes the words around the values a little: an opening, a closing, a swapped word, another blank."""
    pieces = list(source.pieces)
    change = dice.below(4)
    if change == 0:
        pieces.insert(0, Piece(f"{dice.pick(bank.extras['again'])} "))
    elif change == 1:
        pieces.append(Piece(f" {dice.pick(bank.extras['once_more'])}"))
    elif change == 2:
        at = dice.below(len(pieces))
        pieces[at] = pieces[at] if pieces[at].label else pieces[at]._replace(text=_swapped(pieces[at].text, dice))
    if change == 3 or pieces == source.pieces:
        pieces.append(Piece(dice.pick((".", "!", " ...", "\n--", " (2)"))))
    return Draft(pieces, dict(source.chosen))


def _swapped(text: str, dice: Dice) -> str:
    old, new = dice.pick(SWAPS)
    return re.sub(rf"\b{old}\b", new, text, count=1)
