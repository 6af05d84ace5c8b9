"""CSV for people who open it in a spreadsheet."""

from __future__ import annotations

BYTE_ORDER_MARK = "\ufeff"
"""At the beginning of the file: without it, spreadsheets take UTF-8 for something else."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Beginnings that spreadsheets compute, as OWASP lists them (CSV injection): the wide ones in East Asian ones."""


def harmless(text: str) -> str:
    """A text that a spreadsheet shows instead of computing it: what customers write may begin like a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
