"""What makes text untidy: typos, casing, unicode forms, blank rows and pasted logs."""

import unicodedata

from ..dice import Dice

TYPO_SHARE = 0.13
EMPTY_TEXTS = ("", "", " ", "   ", "\n", "\t", " \n \n", "\u00a0", "\u200b ")
EMOJI = ("🙏", "😡", "🙂", "😕", "🚀", "👍", "❗", "🤔")
SHORT_FORMS = (
    ("please", "pls"),
    ("because", "bc"),
    ("account", "acct"),
    ("you", "u"),
    ("password", "pw"),
    ("subscription", "sub"),
)
KEYS = {"a": "s", "e": "r", "i": "o", "n": "m", "o": "p", "r": "t", "s": "d", "t": "y", "l": "k", "c": "v"}
LOG_LINES = (
    "ERROR sync.worker job={ref} attempt={n} status=503 upstream timed out after 30000 ms",
    "INFO  http GET /v2/jobs?page={n} 200 {n}4 ms",
    "WARN  cache miss key=workspace:{n}{n}{n} ttl=60",
    "    at Object.render /app/static/bundle.js:1:{n}{n}82{n}",
    "DEBUG auth token refreshed for user {email}",
    'Traceback: File "/srv/worker.py", line {n}{n}, in run',
)


def _typo(word: str, dice: Dice) -> str:
    """Swaps, drops, doubles or mistypes one inner letter."""
    at = dice.between(1, len(word) - 2)
    head, char, tail = word[:at], word[at], word[at + 1 :]
    return dice.pick(
        (
            head + tail[0] + char + tail[1:],
            head + tail,
            head + char + char + tail,
            head + KEYS.get(char, char) + tail,
        )
    )


def with_typos(text: str, dice: Dice) -> str:
    """Puts one to three typos into longer words; strings with digits or '@' are left alone."""
    words = text.split(" ")
    places = [at for at, word in enumerate(words) if len(word) > 4 and word.isalpha()]
    for _ in range(dice.pick((1, 1, 2, 3)) if places else 0):
        at = dice.pick(places)
        if len(words[at]) > 4:
            words[at] = _typo(words[at], dice)
    return " ".join(words)


def roughen(text: str, dice: Dice) -> str:
    """Types a ticket as people do: typos, short forms, casing, missing or repeated end marks."""
    if dice.chance(TYPO_SHARE):
        text = with_typos(text, dice)
    if dice.chance(0.06):
        for full, short in SHORT_FORMS:
            text = text.replace(f" {full} ", f" {short} ")
    style = dice.below(100)
    if style < 14:
        text = text.lower()
    elif style < 16:
        text = text.upper()
    if dice.chance(0.15):
        text = text.rstrip(".")
    elif dice.chance(0.06):
        text = text.rstrip(".") + dice.pick(("!", "!!", "...", "??"))
    return text


def unicode_forms(text: str, dice: Dice) -> str:
    """Uses curly quotes, no-break spaces, emoji or decomposed accents in some tickets."""
    if dice.chance(0.10):
        text = text.replace("'", "\u2019").replace(" - ", " \u2013 ")
    if dice.chance(0.03):
        text = text.replace(" ", "\u00a0", 2)
    if dice.chance(0.04):
        text = f"{text} {dice.pick(EMOJI)}"
    if dice.chance(0.05):
        text = text.replace(". ", ".  ").replace(", ", " , ", 1)
    if dice.chance(0.10):
        text = unicodedata.normalize("NFD", text)
    return text


def empty(dice: Dice) -> str:
    """Draws a row without content."""
    return dice.pick(EMPTY_TEXTS)
