"""Passwords in addresses, and keys that a server repeats in whatever spelling, reach nobody's eyes."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import Fault, SpecError, TailTuneError, UsageError
from tailtune.core.secrets import secret_in, without_key, without_password
from tailtune.lifecycle import local_server
from tailtune.services.endpoint.faults import read_refusal, refused
from tailtune.services.mlflow.address import reach

KEY = 'sk-proj-A1b2/C3+d4=E5f6&G7h8"I9<j0>'
PLAIN = "sk-live-9f8e7d6c5b4a39281706f5e4d3c2b1a0"
PASSWORD = "hunter2-Tr0ub4dor"
WITH_SECRET = [
    f"https://me:{PASSWORD}@api.example.com/v1",
    f"https://:{PASSWORD}@api.example.com/v1",
    f"http://{PASSWORD}@127.0.0.1:5000",
    f"https://api.example.com/v1?api_key={PASSWORD}",
    f"https://api.example.com/v1?a=1&access_token={PASSWORD}&b=2",
    f"https://api.example.com/v1?sig={PASSWORD}",
    f"https://api.example.com/v1?X-Amz-Signature={PASSWORD}",
    f"https://me:{PASSWORD}/x@api.example.com/v1",
    f"https://me:x@{PASSWORD}@api.example.com/v1",
    f"https://me:{PASSWORD}?@api.example.com/v1",
    f"https://api.example.com/v1#token={PASSWORD}",
]
BARE = [
    "https://api.example.com/v1",
    "http://127.0.0.1:11434/v1",
    "http://[::1]:8000/v1",
    "https://x.openai.azure.com/openai/deployments/y?api-version=2024-02-01",
    "https://registry.example.com:8443/@scope/v1",
]


@pytest.mark.parametrize("address", WITH_SECRET)
def test_an_endpoint_with_a_secret_in_it_is_refused_and_not_shown(address: str) -> None:
    assert secret_in(address)
    with pytest.raises(ValidationError, match="stands in the address"):
        LanguageModelSpec(name="small", endpoint=address)
    assert PASSWORD not in without_password(address)
    assert "api.example.com" in without_password(address) or "127.0.0.1:5000" in without_password(address)


@pytest.mark.parametrize("address", BARE)
def test_an_address_without_one_passes_as_it_is(address: str) -> None:
    assert secret_in(address) == "" and without_password(address) == address
    assert LanguageModelSpec(name="small", endpoint=address).endpoint == address


@pytest.mark.parametrize(
    "address", [*WITH_SECRET, f"postgresql://u:{PASSWORD}@h/db", f"mysql+pymysql://u:{PASSWORD}@h/d"]
)
def test_a_tracking_uri_with_a_secret_in_it_is_refused_early(address: str) -> None:
    with pytest.raises(UsageError, match="TAILTUNE_TRACKING_URI") as refusal:
        reach(address)
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("address", WITH_SECRET)
def test_a_prefect_url_with_a_secret_in_it_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="PREFECT_API_URL") as refusal:
        local_server._check_answers(address)
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("address", [*WITH_SECRET, f"postgresql://u:{PASSWORD}@h/db", f"s3://u:{PASSWORD}@bucket/x"])
def test_no_error_shows_a_secret_of_an_address(address: str) -> None:
    text = f"DVC: failed to pull from '{address}' (again: {address})"
    for error in (TailTuneError(text, text), SpecError([Fault("model.yaml:1", text)], text)):
        assert PASSWORD not in str(error) and PASSWORD not in error.message and "failed to pull" in error.message


def escaped(key: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in key)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "header": lambda key: f"Authorization: Bearer {key}",
    "upper case": str.upper,
    "url": lambda key: quote(key, safe=""),
    "url, lower": lambda key: quote(key, safe="").lower(),
    "form": quote_plus,
    "all percent": lambda key: "".join(f"%{byte:02X}" for byte in key.encode()),
    "json": lambda key: json.dumps({"key": key}),
    "json, slashes": lambda key: json.dumps(key).replace("/", "\\/"),
    "json, all escaped": escaped,
    "html": html.escape,
    "html, all escaped": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 url": lambda key: base64.urlsafe_b64encode(key.encode()).decode(),
    "base64, one before": lambda key: base64.b64encode(f":{key}".encode()).decode(),
    "base64, two before": lambda key: base64.b64encode(f"u:{key}".encode()).decode(),
    "base64, bearer": lambda key: base64.b64encode(f"Bearer {key}\n".encode()).decode(),
    "first half": lambda key: key[: len(key) // 2],
    "last half": lambda key: key[len(key) // 2 :],
    "middle": lambda key: key[5:15],
    "shortened": lambda key: f"{key[:7]}********{key[-4:]}",
    "shortened to its end": lambda key: f"***{key[-4:]}",
    "shortened by dots": lambda key: f"{key[:3]}...{key[-4:]}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("key", [KEY, PLAIN])
def test_a_key_that_a_server_repeats_is_not_shown(key: str, spelling: str) -> None:
    spelt = SPELLINGS[spelling](key)
    spec = LanguageModelSpec(name="small", endpoint="https://api.example.com/v1", key_env="KEY")
    for body in (
        json.dumps({"error": {"message": f"Incorrect API key provided: {spelt}. Sorry", "code": spelt}}),
        f"<p>Incorrect API key provided: {spelt}. Sorry</p>",
    ):
        refusal = read_refusal(401, body, key)
        shown = f"{refusal.text} {refusal.code} {refused(spec, refusal, 0)}"
        assert "Incorrect API key provided" in shown
        assert "***" in shown
        for at in range(len(spelt) - 12):
            piece = spelt[at : at + 12]
            assert piece not in shown or piece in "Authorization: Bearer " or piece in '{"key": "'
        assert key[-4:] not in shown and key[:7] not in shown


@given(
    st.text("abcdefghijklmnop0123456789-_/+=", min_size=8, max_size=60), st.binary(max_size=9), st.binary(max_size=9)
)
def test_no_base64_of_any_text_with_the_key_shows_its_middle(key: str, before: bytes, after: bytes) -> None:
    spelt = base64.b64encode(before + key.encode() + after).decode()
    shown = without_key(f"got {spelt}, no", key)
    whole = base64.b64encode(b"\0" * (len(before) % 3) + key.encode()).decode().rstrip("=")[4:-2]
    assert len(whole) < 8 or whole not in shown


@pytest.mark.parametrize("key", ["x", "none", "ollama", "EMPTY", "local"])
def test_a_word_as_key_leaves_the_message_readable(key: str) -> None:
    text = "model qwen is not available; try again in 20 s … or ask for more"
    assert without_key(text, key).count("*") <= 9
    assert without_key("the temperature parameter is unsupported", PLAIN) == "the temperature parameter is unsupported"


def test_answers_lose_a_key_only_when_it_is_one() -> None:
    answer = f'{{"label": "card_lost", "note": "{PLAIN}"}}'
    assert without_key(answer, PLAIN, 16) == '{"label": "card_lost", "note": "***"}'
    assert without_key("sk-live is what keys begin with, 9f8e7d6c5b", PLAIN, 16).startswith("sk-live is what")


def test_secrets_of_a_spec_are_not_shown_by_its_fault(tmp_path: Path) -> None:
    from tailtune.config.located import LinedYaml

    file = tmp_path / "model.yaml"
    file.write_text(f"name: small\nendpoint: https://me:{PASSWORD}@api.example.com/v1\n")
    with pytest.raises(SpecError, match=r"endpoint: a password stands in the address") as refusal:
        LinedYaml(file, "model.yaml", "tailtune check x").parse(LanguageModelSpec)
    assert PASSWORD not in str(refusal.value)
