from __future__ import annotations

import pytest

from tailtune.tasks.extraction.values.texts import Refusal, read_email, read_phone


@pytest.mark.parametrize(
    ("surface", "region", "value"),
    [
        ("(415) 555-0123", "US", "+14155550123"), ("415.555.0123 ext 12", "US", "+14155550123"),
        ("4155550123", "US", "+14155550123"),
        ("+44 20 7946 0958", "US", "+442079460958"), ("0044 20 7946 0958", "US", "+442079460958"),
        ("020 7946 0958", "GB", "+442079460958"),
        ("+49 (0)30 1234567", "US", "+49301234567"), ("tel: 415-555-0123", "US", "+14155550123"),
        ("4l5-555-O123", "US", "+14155550123"),
        ("1-800-555-0199.", "US", "+18005550199"),
    ],
)  # fmt: skip
def test_phones(surface: str, region: str, value: str) -> None:
    assert read_phone(surface, region) == value


@pytest.mark.parametrize("surface", ["", "555", "none", "2026-05-04 is the date we met", "+1 23", "call me"])
def test_what_is_no_phone(surface: str) -> None:
    assert isinstance(read_phone(surface, "US"), Refusal)


@pytest.mark.parametrize(
    ("surface", "value"),
    [
        ("Jane.Doe@Example.ORG", "jane.doe@example.org"), ("<jane@x.co.uk>.", "jane@x.co.uk"),
        ("mailto:j@x.org", "j@x.org"),
        ("jane at example dot com", "jane@example.com"), ("jane (at) example (dot) com", "jane@example.com"),
        ("jane @ example.com", "jane@example.com"), ("josé@exämple.org", "josé@exämple.org"),
    ],
)  # fmt: skip
def test_emails(surface: str, value: str) -> None:
    assert read_email(surface) == value


@pytest.mark.parametrize("surface", ["", "jane@", "@x.org", "look at that", "a@b", "a@b@c.org"])
def test_what_is_no_email(surface: str) -> None:
    assert isinstance(read_email(surface), Refusal)
