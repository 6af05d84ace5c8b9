from __future__ import annotations

import json

import pytest

from tailtune.services.endpoint.bodies import fault_of


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"choices": []}', "no choices"),
        (b"{}", "no choices"),
        (b'{"detail": "rate limited"}', "no choices"),
        (b'{"object": "list", "data": []}', ""),
        (b'{"choices": [{"finish_reason": "error", "message": {}}]}', "ended in an error"),
        (b'{"choices": [{"message": {}}], "error": {"message": "partly"}}', ""),
        (b'{"error": null, "choices": [{"message": {}}]}', ""),
        (b'{"choi', "its answer is not JSON: '{\"choi'"),
        (b"", "its answer is not JSON: it is empty"),
        (b"\xff\xfe", "its answer is not JSON"),
        (b"<!DOCTYPE html>\n<title>Welcome</title>", "'<!DOCTYPE html> <title>Welcome</title>'"),
        (b"[]", "not a JSON object"),
        (json.dumps({"error": {"message": "upstream is down"}}).encode(), "upstream is down"),
        (b'{"error": "no"}', "no"),
    ],
    ids=str,
)
def test_a_body_that_is_no_answer_is_told(content: bytes, expected: str) -> None:
    assert expected in fault_of(content)
    assert bool(expected) == bool(fault_of(content))
