from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from tailtune.config.formats import CHECKED, FORMATS, checker


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("date", ["2026-03-12", "2024-02-29"], ["2026-3-12", "2026-02-29", "20260312", "٢٠٢٦-٠٣-١٢"]),
        ("time", ["14:05", "00:00:59", "23:59:00.5Z", "14:05+02:00"], ["24:00", "4:05", "14:60", "14:05 pm", "14h05"]),
        ("email", ["a.b+c@x-y.example.org", "josé@exämple.org"], ["a@b", "a b@c.org", ".a@b.org", "a..b@c.org"]),
        ("phone", ["+14155550123", "+4930123456"], ["14155550123", "+0415555", "+1 415 555 0123", "+123"]),
    ],
)  # fmt: skip
def test_formats(name: str, good: list[str], bad: list[str]) -> None:
    validator = Draft202012Validator({"format": name}, format_checker=checker())
    assert [text for text in good if not validator.is_valid(text)] == []
    assert [text for text in bad if validator.is_valid(text)] == []
    assert validator.is_valid(3) and validator.is_valid(None), "a format says nothing about other types"


def test_every_checked_format_refuses_something() -> None:
    assert set(FORMATS) < set(CHECKED)
    for name in CHECKED:
        assert not Draft202012Validator({"format": name}, format_checker=checker()).is_valid("\n?"), name
