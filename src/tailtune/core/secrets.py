"""Keeps passwords and keys out of what people read: addresses without their password, texts without a key."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus, urlsplit

HIDDEN = "***"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>`]+")
_WORDS = r"[\w.-]*(?:key|token|secret|passw|pwd|credential|signature|auth)[\w.-]*|sig"
_SECRET_PARAMETER = re.compile(rf"([?&;#](?:{_WORDS})=)[^&;#\s]+", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"(x[-_])?((api|access|auth|private|secret|bearer)[-_]?)?(key|token)"
    r"|auth|authori[sz]ation|bearer|credentials?|signature|[\w-]*(passw|secret)[\w-]*",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"^Bearer \S|(?<![\w-])(sk|pk|rk|gsk|xai|hf|ghp|glpat|nvapi|r8|pplx|fw|csk)[-_][\w-]{16,}"
    r"|AIza[\w-]{30,}|AKIA[A-Z0-9]{12,}"
)
_ODD_PASSWORD = re.compile(r"://[^/?#@]*:(?!\d*[/?#])[^/?#@]*[/?#].*@")  # user:pass/word@host
_MASKED = re.compile(r"[^\s'\"(),;:=]*(?:\*{2,}|\.{3}|…|•{2,}|[xX]{4,})[^\s'\"(),;:=]*")
_SHOWN_PART = re.compile(r"[^*.…•]{3,}")
_SHORTEST, _SHORTEST_ENCODED = 6, 8  # letters; shorter pieces may be there by accident


def secret_in(uri: str) -> str:
    """What an address holds that is nobody else's business: a password, a user, or a key; empty when nothing."""
    if _ODD_PASSWORD.search(uri):
        return "a password"
    try:
        host = urlsplit(uri).netloc
    except ValueError:  # brackets that are no IPv6 address
        host = uri.partition("://")[2].partition("/")[0]
    user = host.rpartition("@")[0]
    if user:
        return "a password" if ":" in user else "a user"
    return "a key" if _SECRET_PARAMETER.search(uri) else ""


def looks_secret(name: str, value: object) -> bool:
    """Whether a parameter of a request holds a key or a password: by its name, or by what the value looks like.

    Limit: a key that begins as no well-known provider's do is recognised by the parameter's name alone.
    """
    if not isinstance(value, str) or not value:
        return False
    return bool(_SECRET_NAME.fullmatch(name) or _KEY.search(value)) or ("://" in value and bool(secret_in(value)))


def without_password(uri: str) -> str:
    """An address as messages and pages may show it: without user and password, values of keys hidden."""
    odd = _ODD_PASSWORD.search(uri)
    if odd:
        uri = f"{uri[: odd.start()]}://{uri[odd.end() :]}"
    try:
        parts = urlsplit(uri)
        if "@" in parts.netloc:
            uri = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    except ValueError:  # brackets that are no IPv6 address
        uri = re.sub(r"://[^/]*@", "://", uri)
    return _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", uri)


def without_passwords(text: str) -> str:
    """A text with every address in it as `without_password` shows it."""
    return _URL.sub(lambda match: without_password(match[0]), text) if "://" in text else text


def without_key(text: str, key: str, least: int = _SHORTEST) -> str:
    """A text without a key: neither as it is nor encoded, nor a piece of it.

    Known encodings are those in which servers repeat what they got: Base64 (also of a longer text that holds the key),
    percent encoding, JSON and HTML escapes, hex. A key that the server has shortened itself (`sk-ab***yz`) goes too.

    Args:
        text: What a server or a library wrote.
        key: What must not be in it.
        least: Letters of a piece; shorter ones are left. More for texts in which a word must not be hidden by accident.

    Limit: what a server has encrypted or turned round is left.
    """
    if not key:
        return text
    hidden = [False] * len(text)
    lower = text.lower()
    for size, pieces in _pieces(key, least).items():
        for at in range(len(lower) - size + 1):
            if lower[at : at + size] in pieces:
                hidden[at : at + size] = [True] * size
    shown = "".join(_runs(text, hidden))
    if least > _SHORTEST:
        return shown
    return _MASKED.sub(lambda match: HIDDEN if _is_shortened(match[0], key) else match[0], shown)


def _runs(text: str, hidden: list[bool]) -> Iterator[str]:
    for at, letter in enumerate(text):
        if not hidden[at]:
            yield letter
        elif at == 0 or not hidden[at - 1]:
            yield HIDDEN


def _is_shortened(word: str, key: str) -> bool:
    """Whether a word with stars or dots in it shows a beginning or an end of the key."""
    shown = _SHOWN_PART.findall(word)
    return any(key.startswith(piece) or key.endswith(piece) for piece in shown)


@lru_cache(maxsize=16)
def _pieces(key: str, least: int) -> dict[int, set[str]]:
    """Characters → pieces of that many characters, of all forms of the key."""
    pieces: dict[int, set[str]] = {}
    for form, width in _forms(key):
        size = min(len(form), max(_SHORTEST_ENCODED if form != key.lower() else 0, least) * width)
        pieces.setdefault(size, set()).update(form[at : at + size] for at in range(len(form) - size + 1))
    return pieces


def _forms(key: str) -> tuple[tuple[str, int], ...]:
    """How a key may be spelt, in lower case, each with the characters that a letter of the key takes in it."""
    raw, escaped = key.encode(), json.dumps(key)[1:-1]
    forms = {
        key: 1,
        quote(key, safe=""): 1,
        quote_plus(key): 1,
        escaped: 1,
        escaped.replace("/", "\\/"): 1,
        html.escape(key): 1,
        raw.hex(): 2,
        "".join(f"%{byte:02x}" for byte in raw): 3,
        "".join(f"&#{ord(letter)};" for letter in key): 5,
        "".join(f"&#x{ord(letter):x};" for letter in key): 6,
        "".join(f"\\u{ord(letter):04x}" for letter in key): 6,
    }
    for before in range(3):  # the key may stand anywhere in what was encoded
        text = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        own = text[-(-before * 4 // 3) : len(text) - (1 if (before + len(raw)) % 3 else 0)]
        forms |= {own: 1, own.replace("+", "-").replace("/", "_"): 1}
    long = {form: width for form, width in forms.items() if form == key or len(form) >= _SHORTEST_ENCODED}
    return tuple({form.lower(): width for form, width in reversed(long.items())}.items())
