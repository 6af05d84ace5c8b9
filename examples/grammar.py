"""How phrases are written in the phrase banks: (a|b) picks one."""

import re

from .dice import Dice

_ALTERNATIVES = re.compile(r"\(([^()]*)\)")


def choose(phrase: str, dice: Dice) -> str:
    """Picks one branch of every (a|b), innermost first.

    Raises:
        ValueError: parentheses do not balance.
    """
    while "(" in phrase:
        phrase, found = _ALTERNATIVES.subn(lambda match: dice.pick(match[1].split("|")), phrase)
        if not found:
            raise ValueError(f"unbalanced parentheses in phrase: {phrase!r}")
    return phrase


def capital(text: str) -> str:
    """Raises the first letter and leaves the rest."""
    return text[:1].upper() + text[1:]
