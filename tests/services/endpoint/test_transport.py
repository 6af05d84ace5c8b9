from __future__ import annotations

import json

import httpx2
import pytest

from tailtune.services.endpoint.bodies import readable


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
    response = readable(httpx2.Response(200, content=content, request=httpx2.Request("POST", "http://here/")))
    assert (response.status_code == 200) == (not expected)
    if expected:
        assert expected in response.json()["error"]["message"]
