"""Short claims in three set phrases, with names, dates and amounts that differ: all of them can be learnt."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

from tailtune.core.records import Row, Span
from tailtune.tasks.extraction.annotations import Annotation, Extraction
from tailtune.tasks.extraction.rungs.base import ExtractContext
from tailtune.tasks.extraction.schema_reader import schema_from
from tasks.classification.contract import embed

TEXT = {"type": ["string", "null"], "minLength": 2}
MONEY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount", "currency"],
    "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
}
SCHEMA = schema_from(
    {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["kind"],
        "properties": {
            "name": TEXT,
            "loss_date": {"type": ["string", "null"], "format": "date"},
            "amount": {"anyOf": [MONEY, {"type": "null"}]},
            "items": {"type": "array", "items": {"type": "string", "minLength": 2}},
            "peril": {"enum": ["hail", "fire", None]},
            "kind": {"enum": ["mail", "call", "form"]},
            "towed": {"type": ["boolean", "null"]},
        },
    }
)
NAMES = ("Ada Lopez", "Ben Okafor", "Cleo Brandt", "Dan Ivers", "Eve Quist", "Finn Marek", "Gus Adeyemi")
MONTHS = ("January", "March", "May", "July")
ITEMS = ("roof", "left door", "fence", "hood")

_MARK = re.compile(r"\[(\w+)\|([^]]+)]")


def claim(number: int) -> Row:
    """The claim of a number: the same text and label each time."""
    name, item, other = NAMES[number % 7], ITEMS[number % 4], ITEMS[(number + 1) % 4]
    day, month = 1 + number % 28, number % 4
    peril, towed = ("hail" if number % 2 else "fire"), number % 5 == 0
    date, amount = f"2026-{2 * month + 1:02}-{day:02}", 100.0 * (1 + number % 40)
    style = number % 3
    said_date, said_amount = f"[loss_date|{day} {MONTHS[month]} 2026]", f"[amount|${amount:,.0f}]"
    tow = " It was towed away." if towed else " I could drive home."
    text = (
        f"Hello, my name is [name|{name}]. On {said_date} {peril} broke the [items|{item}] and the [items|{other}]. "
        f"I ask for {said_amount}.{tow}",
        f"Caller [name|{name}] reports {peril}, damaged: [items|{item}]. Happened {said_date}, estimate "
        f"{said_amount}.{tow}",
        f"Name: [name|{name}] | Date of loss: {said_date} | Cause: {peril} | Amount: {said_amount} |{tow}",
    )[style]
    values = {"name": name, "loss_date": date, "amount": {"amount": amount, "currency": "USD"}, "peril": peril}
    values |= {"kind": ("mail", "call", "form")[style], "towed": towed}
    values |= {"items": [item, other][: 2 - style]} if style < 2 else {}
    return labelled(text, values, f"claims.jsonl:{number + 1}")


def labelled(marked: str, values: dict[str, object], origin: str = "x:1") -> Row:
    """A row from its text with the spans marked: `paid to [name|Ada Lopez]`."""
    text, spans, at = "", [], 0
    for match in _MARK.finditer(marked):
        text += marked[at : match.start()]
        spans.append(Span(len(text), len(text) + len(match[2]), match[1]))
        text, at = text + match[2], match.end()
    text += marked[at:]
    label = Annotation(values, tuple(spans))
    return Row(hashlib.sha256(f"{text}{label}".encode()).hexdigest()[:10], text, label, origin, "train")


ROWS = [claim(number) for number in range(84)]
UNSEEN = [claim(number) for number in range(401, 431)]


def context(rows: Sequence[Row] = ROWS) -> ExtractContext:
    return ExtractContext(rows=rows, embed=embed, schema=SCHEMA)


def share(answers: Sequence[Extraction], rows: Sequence[Row], of: Callable[[str], bool]) -> float:
    """Share of the fields (chosen by name) that are answered as expected."""
    right = total = 0
    for answer, row in zip(answers, rows, strict=True):
        gold = row.label.values
        for name in filter(of, SCHEMA.names):
            total += 1
            right += answer.values[name] == gold.get(name, [] if name == "items" else None)
    return right / total
