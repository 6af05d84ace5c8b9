"""A version's reference: written whole, read back alike, refused when damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.core.errors import TailTuneError
from tailtune.lifecycle.reference import ReferenceRow, read, write

ROWS = [
    ReferenceRow(
        {
            "text": "card lost",
            "answer": "card",
            "confidence": 0.9,
            "likeliest": (("card", 0.9), ("login", 0.1)),
            "embedding": b"\x00\x01",
            "novelty": 0.1,
            "unknown_share": 0.0,
            "tokens": 4,
            "slices": {"channel": "mail"},
        },
        "card",
        1.0,
        "dev",
    ),
    ReferenceRow(
        {
            "text": "?",
            "answer": None,
            "confidence": None,
            "likeliest": (),
            "embedding": None,
            "novelty": None,
            "unknown_share": None,
            "tokens": None,
            "slices": {},
        },
        "login",
        0.0,
        "test",
    ),
]


def test_it_is_read_as_it_was_written_and_equal_rows_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, ROWS)
    assert read(tmp_path / "a") == ROWS
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_no_reference_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"PAR1 torn")
    with pytest.raises(TailTuneError, match="not a reference"):
        read(tmp_path / "x")
