"""Texts to windows of token ids, the words in them and how each is written: nothing is cut off, however long a text is.

The encoder's vocabulary is lower-case, so how a word is written (capitals, digits) is a feature of its own: on SNIPS an
embedding of it was worth more than any other change to the model (benchmarks/extraction_snips.py).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from tailtune.predictors.timing import timed

NONE, LOWER, CAPITAL, UPPER, MIXED, DIGITS, CODE, MARK = range(8)
KINDS = 8
"""`[CLS]` and the like; `word`; `Word` or `W`; `WORD`; `wOrd`; `123`; `A12`; `-`."""


def kind_of(word: str) -> int:
    """The kind of one word, 1 to 7; scripts without case count as lower.

    Args:
        word: As it stands in the text, not empty.
    """
    if word.isalpha():
        if word == word.lower():
            return LOWER
        if word[0].isupper() and word[1:] == word[1:].lower():
            return CAPITAL
        return UPPER if word.isupper() else MIXED
    if word.isdecimal():
        return DIGITS
    return CODE if word[0].isalnum() else MARK


Ints = NDArray[np.int64]

OVERLAP = 64
"""Tokens that two neighbouring windows share at least: context for what stands near an edge."""


@dataclass(frozen=True, slots=True)
class Windowed:
    """One per text: its tokens in windows, and its words.

    A word is what the tokenizer keeps together before it looks for sub-words: a run of letters and digits, or one
    punctuation mark. Its state is that of its first sub-word, from the window in which it is farther from an edge.

    Attributes:
        ids: Token ids of each window, `[CLS]` and `[SEP]` included.
        kinds: How the word of each token is written (`kind_of`), shaped like `ids`.
        starts: (words,) offset of each word's first character.
        ends: (words,) offset after its last character.
        window: (words,) number of the window that its state is taken from.
        column: (words,) place of its first sub-word in that window.
    """

    ids: list[list[int]]
    kinds: list[list[int]]
    starts: Ints
    ends: Ints
    window: Ints
    column: Ints

    @property
    def tokens(self) -> int:
        """Tokens that go through the encoder, all windows together, padded to the longest."""
        return len(self.ids) * len(self.ids[0])


class Windows:
    """The encoder's own fast tokenizer, keeping offsets and cutting long texts into overlapping windows."""

    def __init__(self, encoder: Path, max_tokens: int, overlap: int = OVERLAP) -> None:
        """Read `tokenizer.json` from the encoder's folder.

        Args:
            encoder: The folder.
            max_tokens: Of a window, `[CLS]` and `[SEP]` included, 8 or more.
            overlap: Tokens that neighbouring windows share at least; at most half a window is used.

        Raises:
            ValueError: A window too small to hold anything, or a vocabulary without BERT's special tokens.
        """
        if max_tokens < 8:
            raise ValueError(f"max_tokens is {max_tokens}, expected 8 or more")
        self.max_tokens = max_tokens
        self._room = max_tokens - 2
        self._step = self._room - min(overlap, self._room // 2)
        self._tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.mask_id = self._id("[MASK]")
        self.special_ids = (self._id("[CLS]"), self._id("[SEP]"))

    def __call__(self, texts: Sequence[str]) -> list[Windowed]:
        """Tokens and words of each text; a text without words has one window and no words."""
        with timed("tokenise"):
            if len(texts) == 1:
                return [self._windowed(texts[0], self._tokenizer.encode(texts[0]))]
            found = self._tokenizer.encode_batch(list(texts))
            return [self._windowed(text, encoding) for text, encoding in zip(texts, found, strict=True)]

    def _id(self, token: str) -> int:
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"tokenizer.json: no token {token}, expected a BERT vocabulary")
        return found

    def _windowed(self, text: str, encoding: Encoding) -> Windowed:
        ids: list[int] = encoding.ids
        words = np.array(encoding.word_ids[1:-1], dtype=np.int64)
        offsets = np.array(encoding.offsets[1:-1], dtype=np.int64).reshape(-1, 2)
        change = np.diff(words, prepend=-1, append=-1) != 0
        first, last = np.flatnonzero(change[:-1]), np.flatnonzero(change[1:])
        starts, ends = offsets[first, 0], offsets[last, 1]
        written = [kind_of(text[at:end]) for at, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        kinds = [NONE, *np.repeat(np.array(written, dtype=np.int64), last - first + 1).tolist(), NONE]
        if not text.isascii():
            ends = np.array([_with_marks(text, end) for end in ends.tolist()], dtype=np.int64)
        if len(words) <= self._room:
            return Windowed([ids], [kinds], starts, ends, np.zeros(len(first), dtype=np.int64), first + 1)
        begins = window_starts(len(words), self._room, self._step)
        cuts = (begins[1:] + begins[:-1] + self._room + 1) // 2
        window = np.searchsorted(cuts, first, side="right").astype(np.int64)
        return Windowed(
            self._cut(ids, begins), self._cut(kinds, begins), starts, ends, window, first - begins[window] + 1
        )

    def _cut(self, tokens: list[int], begins: Ints) -> list[list[int]]:
        """Each window's part, between the text's own first and last token."""
        return [[tokens[0], *tokens[1 + at : 1 + at + self._room], tokens[-1]] for at in begins.tolist()]


def window_starts(tokens: int, room: int, step: int) -> Ints:
    """Where windows of `room` tokens begin, `step` apart; the last one is full too and ends with the text.

    Args:
        tokens: Of the text, more than `room`.
        room: Tokens of a window.
        step: From one window's begin to the next, at most.
    """
    more = -(-(tokens - room) // step)
    return np.array([*(at * step for at in range(more)), tokens - room], dtype=np.int64)


def _with_marks(text: str, end: int) -> int:
    """A word's end, moved past the combining marks that belong to its last character and have no token."""
    while end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end
