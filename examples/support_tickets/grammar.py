"""Turns a phrase into words: (a|b) picks one, {slot} is filled, {slot^} starts with a capital."""

import re
from collections.abc import Mapping

from ..dice import Dice
from ..grammar import capital, choose
from .slots import SLOTS, plan_pair

_SLOT = re.compile(r"\{(\w+)(\^?)\}")
_SPACES = re.compile(r" +")
_NO_MATTER: Mapping[str, str] = {}


def fill(phrase: str, dice: Dice, launched: bool, matter: Mapping[str, str] = _NO_MATTER) -> str:
    """Expands one phrase.

    Args:
        phrase: A line of the phrase bank.
        dice: Where chance comes from.
        launched: Whether the ticket is written after the launch (new plan names).
        matter: Values of slots that are not in `slots.SLOTS`, already expanded.

    Returns:
        The words, with single spaces.

    Raises:
        ValueError: parentheses do not balance.
        KeyError: a slot is unknown.
    """
    small, big = plan_pair(dice, launched)
    given = {"small": small, "big": big, **matter}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        text = given[name] if name in given else SLOTS[name](dice)
        return capital(text) if match[2] else text

    text = _SLOT.sub(value, choose(phrase, dice))
    return _SPACES.sub(" ", text).replace(" ,", ",").replace(" .", ".").replace(" ?", "?").strip()


def sentence(text: str) -> str:
    """Makes a sentence: a capital and an end mark."""
    return capital(text) + ("" if text[-1:] in ".?!:" else ".")
