"""What makes texts untidy: typos, casing, Unicode forms, scanning errors. Values stay readable."""

import unicodedata

from ..dice import Dice
from .bank import load
from .pieces import Draft, Piece

EMPTY_TEXTS = ("", "", " ", "\n", "   ", "\t", "\u00a0", " \n \n")
LOWER_SHARE = {"call": 0.3, "email": 0.06, "form": 0.02, "report": 0.0}
UPPER_SHARE = {"form": 0.05, "call": 0.02, "email": 0.0, "report": 0.0}
TYPO_SHARE = {"call": 0.25, "email": 0.2, "form": 0.08, "report": 0.02}
SCAN_SHARE = 0.28
_SCANNED = {"o": "0", "O": "0", "l": "1", "I": "l", "i": "l", "e": "c", "m": "rn", "S": "5", "B": "8", "a": "o"}
_KEYS = {"a": "s", "e": "r", "i": "o", "n": "m", "o": "p", "r": "t", "s": "d", "t": "y", "l": "k", "c": "v"}
_CASED = ("claimed_amount", "repair_estimate", "deductible", "loss_time")
"""Fields whose case is left alone."""


def typo(word: str, dice: Dice) -> str:
    """Swaps, drops, doubles or mistypes one inner letter."""
    at = dice.between(1, len(word) - 2)
    head, char, tail = word[:at], word[at], word[at + 1 :]
    mistyped = head + _KEYS.get(char, char) + tail
    return dice.pick((head + tail[0] + char + tail[1:], head + tail, head + char + char + tail, mistyped))


def _mistyped(text: str, dice: Dice) -> str:
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if places:
        at = dice.pick(places)
        words[at] = typo(words[at], dice)
    return " ".join(words)


def _scanned(text: str, dice: Dice) -> str:
    """Misreads a character in thirty; blanks break into words and out of them, but never away from a value's edge."""
    chars = []
    for at, char in enumerate(text):
        if not dice.chance(0.033) or (char == " " and at in (0, len(text) - 1)):
            chars.append(char)
        elif char == " ":
            chars.append(dice.pick(("  ", "")))
        else:
            chars.append(_SCANNED.get(char, f"{char} " if char.isalpha() else char))
    return "".join(chars)


def scan(draft: Draft, dice: Dice) -> None:
    """Puts scanning errors into the words; values only get wider blanks."""
    draft.change(lambda text: _scanned(text, dice), lambda text: _wider(text, dice))


def _wider(text: str, dice: Dice) -> str:
    return text.replace(" ", "  ", 1) if dice.chance(0.06) else text


def _cased(draft: Draft, upper: bool) -> None:
    def change(piece: Piece) -> Piece:
        if piece.label in _CASED:
            return piece
        return piece._replace(text=piece.text.upper() if upper else piece.text.lower())

    draft.pieces = [change(piece) for piece in draft.pieces]


def roughen(draft: Draft, channel: str, dice: Dice) -> None:
    """Types or scans a text as it happens on its channel."""
    if dice.chance(TYPO_SHARE[channel]):
        for _ in range(dice.pick((1, 1, 2))):
            places = [at for at, piece in enumerate(draft.pieces) if not piece.label and len(piece.text) > 12]
            if places:
                at = dice.pick(places)
                draft.pieces[at] = draft.pieces[at]._replace(text=_mistyped(draft.pieces[at].text, dice))
    if dice.chance(LOWER_SHARE[channel]):
        _cased(draft, upper=False)
    elif dice.chance(UPPER_SHARE[channel]):
        _cased(draft, upper=True)
    if channel == "form" and dice.chance(SCAN_SHARE):
        scan(draft, dice)
    _forms_of_unicode(draft, dice)


def _forms_of_unicode(draft: Draft, dice: Dice) -> None:
    if dice.chance(0.10):
        draft.change(lambda text: text.replace("'", "\u2019").replace(" - ", " \u2013 "))
    if dice.chance(0.02):
        draft.change(lambda text: text.replace(" ", "\u00a0", 1))
    if dice.chance(0.03):
        draft.put(f" {dice.pick(load().extras['emoji'])}")
    if dice.chance(0.03):
        draft.change(lambda text: text.replace(". ", ".  "))
    if dice.chance(0.01):
        draft.change(_decomposed, _decomposed)


def _decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def empty(dice: Dice) -> str:
    """Draws a row without content."""
    return dice.pick(EMPTY_TEXTS)
