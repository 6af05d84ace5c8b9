"""Which texts say the same: one normal form for exact repeats, MinHash (rensa) for near-duplicates.

Near means: Jaccard similarity of the sets of character 5-grams of the normal forms. MinHash only proposes
pairs; every proposed pair is measured exactly before it counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt

GRAM = 5
_PERMUTATIONS = 128
_SEED = 20_111  # fixed: another seed proposes other pairs near the threshold, so decisions would move
_RECALL = 0.999
_CHUNK_ROWS, _CHUNK_CHARS = 8192, 2_000_000  # sketched at once: some 4 KiB a row and 26 bytes a character
_SHINGLED, _SHINGLED_CHARS = 4096, 2_000_000  # texts whose shingles are kept: some 100 bytes a character
_BUCKET_ROWS = 32  # members kept per bucket: a template repeated 100,000 times must not cost a million pairs
_VERIFIED = 16  # best candidates that are measured exactly

# Symbols (currency, emoji, + in C++) carry meaning and stay; only punctuation, space and controls fall away.
_ASCII = {ord(c): None if c == "'" else " " for c in map(chr, range(128)) if unicodedata.category(c)[0] in "PZC"}
_NOT_WORD = re.compile(r"[^\w\s]|_")

Words = npt.NDArray[np.uint64]


def normal(text: str) -> str:
    """The form in which exact repeats are equal: case, punctuation and white space do not count.

    Returns:
        The normal form; the casefolded text itself when it holds nothing but punctuation.
    """
    folded = text.casefold()
    bare = folded.translate(_ASCII) if folded.isascii() else _NOT_WORD.sub(_kept, folded)
    return " ".join(bare.split()) or folded.strip()


def _kept(match: re.Match[str]) -> str:
    char = match.group()
    if char in "'’":
        return ""
    return " " if unicodedata.category(char)[0] in "PZC" else char


def shingles(form: str) -> frozenset[str]:
    """The set of character 5-grams of a normal form; a shorter form is its own single shingle."""
    if len(form) <= GRAM:
        return frozenset((form,))
    return frozenset(form[i : i + GRAM] for i in range(len(form) - GRAM + 1))


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """Shared shingles as a share of all shingles, 0 to 1."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)


def rows_per_band(similarity: float) -> int:
    """The most signature rows a band may have to propose 99.9 % of the pairs at a similarity."""
    for rows in range(32, 1, -1):
        if 1 - (1 - similarity**rows) ** (_PERMUTATIONS // rows) >= _RECALL:
            return rows
    return 1


class NearDuplicates:
    """One per collection of texts: finds the near-duplicates of a text among those entered before.

    Args:
        texts: All texts that will be entered or asked about; kept by reference, looked up by position.
        similarity: Jaccard similarity from which two texts are near-duplicates, above 0.5 to 1.
        tick: Called with the number of texts sketched so far.

    Memory is about 400 bytes per text besides the texts, and some 300 MB at most for the texts in work, or what
    one text of millions of characters needs. Limit: a pair right at the similarity is missed once
    in a thousand times; more often where more than 32 entered texts share a band (a long template filled in).
    """

    def __init__(self, texts: Sequence[str], similarity: float, tick: Callable[[int], None] = lambda _: None) -> None:
        self._texts, self._similarity = texts, similarity
        mean_chars = sum(map(len, texts)) // max(1, len(texts))
        kept = min(_SHINGLED, _SHINGLED_CHARS // max(1, mean_chars))
        self._form_shingles = lru_cache(maxsize=max(kept, 2 * _VERIFIED))(lambda i: shingles(normal(texts[i])))
        spread = (similarity * (1 - similarity) / _PERMUTATIONS) ** 0.5
        self._worth_measuring = similarity - 4 * spread
        self._bytes, keys = _sketch(texts, rows_per_band(similarity), tick)
        self._index(keys)

    def _index(self, keys: Words) -> None:
        """Number the buckets that hold two texts or more; all other texts cannot have a near-duplicate."""
        bands, rows = keys.shape
        self._buckets = np.full((rows, bands), -1, dtype=np.int32)
        sizes = [np.zeros(0, dtype=np.int32)]
        first = 0
        for band in range(bands):
            _, inverse, counts = np.unique(keys[band], return_inverse=True, return_counts=True)
            shared = counts > 1
            numbers = np.where(shared, np.cumsum(shared) - 1 + first, -1).astype(np.int32)
            self._buckets[:, band] = numbers[inverse]
            sizes.append(np.minimum(counts[shared], _BUCKET_ROWS).astype(np.int32))
            first += int(shared.sum())
        self._alone: list[bool] = np.all(self._buckets < 0, axis=1).tolist()
        self._room = np.concatenate(sizes)
        self._start = np.cumsum(self._room, dtype=np.int64) - self._room
        self._used = np.zeros(len(self._room), dtype=np.int32)
        self._members = np.zeros(int(self._room.sum()), dtype=np.int32)

    def enter(self, row: int) -> None:
        """Let later questions find this text."""
        if self._alone[row]:
            return
        buckets = self._buckets[row]
        buckets = buckets[buckets >= 0]
        buckets = buckets[self._used[buckets] < self._room[buckets]]
        self._members[self._start[buckets] + self._used[buckets]] = row
        self._used[buckets] += 1

    def of(self, row: int) -> list[int]:
        """The entered texts that are near-duplicates of this one, most similar first (by estimate)."""
        found = self._candidates(row) if not self._alone[row] else ()
        if not len(found):
            return []
        # Eight bits of each MinHash tell nearly as much as all 32 (Li & König 2010, b-bit minwise hashing).
        agree = (self._bytes[found] == self._bytes[row]).mean(axis=1)
        estimate = (agree - 1 / 256) / (1 - 1 / 256)
        order = np.lexsort((found, -estimate))
        best = [int(found[i]) for i in order if estimate[i] >= self._worth_measuring][:_VERIFIED]
        own = self._form_shingles(row)
        return [i for i in best if jaccard(own, self._form_shingles(i)) >= self._similarity]

    def _candidates(self, row: int) -> npt.NDArray[np.int32]:
        buckets = self._buckets[row]
        buckets = buckets[buckets >= 0]
        used = self._used[buckets]
        some = used > 0
        starts, ends = self._start[buckets[some]], used[some]
        parts = [self._members[s : s + n] for s, n in zip(starts.tolist(), ends.tolist(), strict=True)]
        if not parts:
            return np.zeros(0, dtype=np.int32)
        found: npt.NDArray[np.int32] = np.unique(np.concatenate(parts))
        return np.delete(found, np.flatnonzero(found == row))


def _sketch(texts: Sequence[str], band_rows: int, tick: Callable[[int], None]) -> tuple[npt.NDArray[np.uint8], Words]:
    """Signatures cut to a byte each, shape (texts, 128), and the key of every band, shape (bands, texts)."""
    bands = _PERMUTATIONS // band_rows
    small = np.empty((len(texts), _PERMUTATIONS), dtype=np.uint8)
    keys = np.zeros((bands, len(texts)), dtype=np.uint64)
    for chunk, forms in _chunks(texts):
        signatures = _signatures(forms)
        small[chunk] = signatures & np.uint32(0xFF)
        for band in range(bands):
            key = keys[band, chunk]
            for column in range(band * band_rows, (band + 1) * band_rows):
                key[:] = (key ^ signatures[:, column]) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(29)
        tick(chunk.stop)
    return small, keys


def _chunks(texts: Sequence[str]) -> Iterator[tuple[slice, list[str]]]:
    """Places and normal forms of texts that follow each other, as many as memory has room for, at least one."""
    start, chars = 0, 0
    forms: list[str] = []
    for text in texts:
        form = normal(text)
        if forms and (len(forms) == _CHUNK_ROWS or chars + len(form) > _CHUNK_CHARS):
            yield slice(start, start + len(forms)), forms
            start, chars, forms = start + len(forms), 0, []
        forms.append(form)
        chars += len(form)
    if forms:
        yield slice(start, start + len(forms)), forms


def _signatures(forms: list[str]) -> npt.NDArray[np.uint32]:
    """MinHash signatures of normal forms, shape (forms, 128)."""
    from rensa import RMinHash

    hashes, offsets = _gram_hashes(forms)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _PERMUTATIONS, _SEED)
    numbers = chain.from_iterable(matrix.to_rows())
    return np.fromiter(numbers, np.uint32, len(forms) * _PERMUTATIONS).reshape(-1, _PERMUTATIONS)


def _gram_hashes(forms: list[str]) -> tuple[Words, Words]:
    """A 64-bit hash of every 5-gram of every form, flat, and where each form's hashes begin and end."""
    padded = [form.ljust(GRAM, "\0") for form in forms]
    lengths = np.fromiter(map(len, padded), np.int64, len(padded))
    points = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    grams = np.zeros(len(points) - GRAM + 1, dtype=np.uint64)
    for i in range(GRAM):
        grams = grams * np.uint64(0x100000001B3) + points[i : len(points) - GRAM + 1 + i]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64's finaliser
        grams = (grams ^ (grams >> np.uint64(shift))) * np.uint64(factor)
    grams ^= grams >> np.uint64(31)
    within = np.ones(len(points), dtype=bool)
    ends = np.cumsum(lengths)
    for back in range(1, GRAM):
        within[ends - back] = False  # a window that starts here runs into the next form
    offsets = np.concatenate(([0], np.cumsum(lengths - GRAM + 1))).astype(np.uint64)
    return grams[within[: len(grams)]], offsets
