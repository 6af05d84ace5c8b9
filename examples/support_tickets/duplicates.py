"""Near-duplicates: what arrives when a customer sends almost the same ticket again."""

import re
from collections import defaultdict
from collections.abc import Callable
from zlib import crc32

from ..dice import Dice
from .noise import with_typos

SHINGLE_CHARS = 5
SIMILAR_AT_LEAST = 0.85
ATTEMPTS = 12
SKETCH_SHINGLES = 4
SWAPS = (
    ("please", "kindly"),
    ("thanks", "thank you"),
    ("hello", "hi"),
    ("hi", "hey"),
    ("we", "I"),
    ("my", "our"),
    ("the", "this"),
)

_DIGIT_RUN = re.compile(r"\d+")


def shingles(text: str) -> frozenset[str]:
    """Cuts text into overlapping runs of five characters, case and repeated spaces ignored."""
    tidy = " ".join(text.casefold().split())
    return frozenset(tidy[at : at + SHINGLE_CHARS] for at in range(max(1, len(tidy) - SHINGLE_CHARS + 1)))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of two texts' shingles, 0..1."""
    left, right = shingles(one), shingles(other)
    return len(left & right) / len(left | right)


class Seen:
    """The texts so far, to keep chance from repeating one that is not meant as a duplicate.

    Texts are compared only within a group and if they share one of their `SKETCH_SHINGLES` smallest shingle
    hashes, so a rare similar pair is missed.
    """

    def __init__(self) -> None:
        """Starts without texts."""
        self._by_hash: defaultdict[tuple[str, int], list[frozenset[str]]] = defaultdict(list)

    def is_new(self, group: str, text: str) -> bool:
        """Whether no earlier text of the group is similar; if so, `text` counts as seen from now on."""
        own = shingles(text)
        sketch = sorted({crc32(one.encode()) for one in own})[:SKETCH_SHINGLES]
        for number in sketch:
            for other in self._by_hash[group, number]:
                common = len(own & other)
                if common >= SIMILAR_AT_LEAST * (len(own) + len(other) - common):
                    return False
        for number in sketch:
            self._by_hash[group, number].append(own)
        return True


def _punctuation(text: str, dice: Dice) -> str:
    return dice.pick(
        (
            text.rstrip(".!?") + dice.pick(("", "!", "!!", "??", " ...")),
            text.replace(",", "", 1),
            text.replace(".", "!", 1),
        )
    )


def _numbers(text: str, dice: Dice) -> str:
    runs = list(_DIGIT_RUN.finditer(text))
    if not runs:
        return text
    run = dice.pick(runs)
    changed = run[0][:-1] + str((int(run[0][-1]) + dice.between(1, 9)) % 10)
    return text[: run.start()] + changed + text[run.end() :]


def _opening(text: str, dice: Dice) -> str:
    return dice.pick(("Hi, ", "Hello, ", "Again: ", "Re: ", "Hey ", "2nd try. ")) + text


def _closing(text: str, dice: Dice) -> str:
    return text + dice.pick((" Thanks", " Any news?", " Thx!", " :(", " pls help"))


def _word(text: str, dice: Dice) -> str:
    old, new = dice.pick(SWAPS)
    return re.sub(rf"\b{old}\b", new, text, count=1)


def _case(text: str, dice: Dice) -> str:
    return dice.pick((text.lower(), text.replace(" ", "  ", 1)))


EDITS: tuple[Callable[[str, Dice], str], ...] = (
    _punctuation,
    _numbers,
    _opening,
    _closing,
    _word,
    _case,
    with_typos,
)


def nearly(text: str, dice: Dice) -> str | None:
    """Edits a text slightly.

    Returns:
        A different text with a similarity of at least `SIMILAR_AT_LEAST`; None if no draw gave one.
    """
    for _ in range(ATTEMPTS):
        edited = dice.pick(EDITS)(text, dice)
        if len(text) > 110 and dice.chance(0.5):
            edited = dice.pick(EDITS)(edited, dice)
        if edited != text and similarity(edited, text) >= SIMILAR_AT_LEAST:
            return edited
    return None
