"""The sample tickets keep their promises: the same bytes everywhere, hard in the promised shares."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest
from house.tree import ROOT
from ruamel.yaml import YAML

from tailtune.cli.sample import example
from tailtune.config.paths import Paths

CHECKOUT = Paths(ROOT)
Dice = example(CHECKOUT, "dice").Dice
choose = example(CHECKOUT, "grammar").choose
Written = example(CHECKOUT, "support_tickets").Written
bank = example(CHECKOUT, "support_tickets.bank")
duplicates = example(CHECKOUT, "support_tickets.duplicates")
write = example(CHECKOUT, "support_tickets").write
LAUNCH = example(CHECKOUT, "support_tickets.calendar").LAUNCH
stamp = example(CHECKOUT, "support_tickets.calendar").stamp
fill = example(CHECKOUT, "support_tickets.grammar").fill
SLOTS = example(CHECKOUT, "support_tickets.slots").SLOTS


LABELS = Path(__file__).parents[2] / "models" / "support-tickets" / "labels.yaml"
TICKETS_SHA256 = "8c24925eef196642607c7398a745dc6ada3981692f8b66e197b2296946f1f487"
TRUTH_SHA256 = "6b03714a858fb8aadf38bc90a29841c260be3338f60cea676818009aadeb6e34"
ORIGINALS = ("normal", "contrast")

Rows = list[dict[str, object]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def tickets(written: Written) -> Rows:
    return [json.loads(line) for line in written.tickets.read_text(encoding="utf-8").split("\n")[:-1]]


@pytest.fixture(scope="module")
def truth(written: Written) -> Rows:
    return [json.loads(line) for line in written.truth.read_text(encoding="utf-8").split("\n")[:-1]]


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def test_bytes_are_the_same_twice_and_everywhere(written: Written, tmp_path: Path) -> None:
    again = write(tmp_path)
    assert _digest(again.tickets) == _digest(written.tickets) == TICKETS_SHA256
    assert _digest(again.truth) == _digest(written.truth) == TRUTH_SHA256
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "support-tickets.jsonl",
        "tickets.jsonl",
    ]
    assert b"\r" not in written.tickets.read_bytes()


def test_rows_have_the_promised_fields_in_order_of_time(written: Written, tickets: Rows, truth: Rows) -> None:
    assert len(tickets) == len(truth) == written.rows == 12_000
    assert all(list(row) == ["id", "created_at", "text", "label"] for row in tickets)
    assert all(list(row) == ["line", "label", "wrong_label", "near_duplicate_of", "kind"] for row in truth)
    assert [row["id"] for row in tickets] == [f"T{line:05}" for line in range(1, 12_001)]
    assert [row["line"] for row in truth] == list(range(1, 12_001))
    times = [str(row["created_at"]) for row in tickets]
    assert times == sorted(times)
    assert times[0] >= "2026-01-01T00:00:00Z" and times[-1] < "2026-07-01T00:00:00Z"


def test_labels_are_those_declared_and_each_has_enough_rows(tickets: Rows) -> None:
    declared = YAML(typ="safe").load(LABELS.read_text(encoding="utf-8"))
    counts = Counter(str(row["label"]) for row in tickets)
    assert set(counts) == set(declared) == set(bank.load().categories)
    assert 45 <= len(counts) <= 55
    assert min(counts.values()) >= 60
    assert max(counts.values()) > 4 * min(counts.values())
    assert all(text.endswith(".") for text in declared.values())


def test_kinds_come_in_the_promised_shares(written: Written, truth: Rows) -> None:
    share = {kind: rows / written.rows for kind, rows in written.rows_by_kind.items()}
    assert Counter(str(row["kind"]) for row in truth) == written.rows_by_kind
    assert 0.002 <= share["empty"] <= 0.005
    assert 0.002 <= share["over_long"] <= 0.005
    assert 0.05 <= share["near_duplicate"] + share["exact_duplicate"] <= 0.07
    assert 0.04 <= written.wrong_label_rows / written.rows <= 0.06


def test_truth_tells_what_each_row_is(tickets: Rows, truth: Rows) -> None:
    for row, true in zip(tickets, truth, strict=True):
        text = str(row["text"])
        assert true["wrong_label"] == (row["label"] != true["label"])
        assert (true["kind"] == "empty") == (not text.replace("\u200b", "").strip())
        assert (true["kind"] == "over_long") == (len(text) > 2_000)


def test_duplicates_repeat_an_earlier_row_and_others_do_not(tickets: Rows, truth: Rows) -> None:
    repeats = [row for row in truth if row["near_duplicate_of"] is not None]
    assert repeats and all(str(row["kind"]).endswith("_duplicate") for row in repeats)
    for row in repeats:
        line, first = int(str(row["line"])), int(str(row["near_duplicate_of"]))
        one, other = tickets[line - 1], tickets[first - 1]
        assert first < line and one["label"] == other["label"]
        assert (one["text"] == other["text"]) == (row["kind"] == "exact_duplicate")
        assert duplicates.similarity(str(one["text"]), str(other["text"])) >= duplicates.SIMILAR_AT_LEAST
    originals = [str(row["text"]) for row, true in zip(tickets, truth, strict=True) if true["kind"] in ORIGINALS]
    assert len(set(originals)) >= 0.99 * len(originals)


def test_launch_shifts_classes_and_words(tickets: Rows) -> None:
    before = [row for row in tickets if str(row["created_at"]) < stamp(LAUNCH)]
    after = [row for row in tickets if str(row["created_at"]) >= stamp(LAUNCH)]
    shares = [
        {label: n / len(rows) for label, n in Counter(row["label"] for row in rows).items()} for rows in (before, after)
    ]
    labels = sorted(str(label) for label in shares[1])
    distance = sum(abs(shares[0].get(label, 0.0) - shares[1][label]) for label in labels) / 2
    assert distance > 0.15
    assert shares[0].get("relay_setup", 0.0) < 0.005 and shares[1]["relay_setup"] > 0.08

    def using(rows: Rows, words: str) -> float:
        return sum(bool(re.search(words, str(row["text"]), re.IGNORECASE)) for row in rows) / len(rows)

    assert using(after, r"\brelay\b") > 0.2 > 10 * using(before, r"\brelay\b")
    assert using(after, r"\b(Spark|Grow|Fleet)\b") > 0.03 and using(before, r"\b(Spark|Grow|Fleet)\b") == 0
    assert using(before, r"\b(Starter|Business)\b") > using(after, r"\b(Starter|Business)\b")


@pytest.mark.parametrize(
    ("what", "pattern", "at_least"),
    [
        ("email", r"[\w.]+@[\w.-]+\.example", 400),
        ("phone", r"\+\d{1,2} [\d() -]{7,}", 150),
        ("card", r"\b4\d{3}[ -]?\d{4}[ -]?\d{4}[ -]?\d{4}\b", 60),
        ("IBAN", r"\b(DE|NL)\d\d ?(HALW|\d{4})( ?\d{4}){2}", 60),
        ("order number", r"\b(INV-|HW-|ORD-2026-)\d{5}", 300),
    ],
)
def test_pii_like_strings_are_there(tickets: Rows, what: str, pattern: str, at_least: int) -> None:
    assert sum(bool(re.search(pattern, str(row["text"]), re.IGNORECASE)) for row in tickets) >= at_least, what


def test_unicode_is_as_untidy_as_in_life(tickets: Rows) -> None:
    texts = [str(row["text"]) for row in tickets]
    assert sum(not text.isascii() for text in texts) > 800
    assert sum("\u00a0" in text for text in texts) > 100
    assert sum("\u2019" in text for text in texts) > 50
    assert sum("\U0001f64f" in text for text in texts) > 10
    assert sum(unicodedata.normalize("NFC", text) != text for text in texts) > 50


def test_every_phrase_expands() -> None:
    phrases = [phrase for one in bank.load().categories.values() for phrase in (*one.cores, *one.topics, *one.wants)]
    assert len(phrases) > 1_000
    dice = Dice(1)
    for phrase in phrases:
        text = fill(phrase, dice, launched=True)
        assert text and not re.search(r"[{}|()]|  ", text.replace("+1 (202)", "")), phrase


def test_categories_are_rich_and_their_neighbours_exist() -> None:
    categories = bank.load().categories
    for label, one in categories.items():
        assert len(one.cores) >= 11 and len(one.topics) >= 5 and len(one.wants) >= 5, label
        assert one.near and set(one.near) <= set(categories) - {label}, label


def test_an_unbalanced_or_unknown_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="unbalanced"):
        choose("(a|b", Dice(1))
    with pytest.raises(KeyError, match="nowhere"):
        fill("go {nowhere}", Dice(1), launched=False)


def test_cards_and_ibans_pass_their_checks() -> None:
    dice = Dice(2)
    for _ in range(200):
        digits = [int(char) for char in SLOTS["card"](dice) if char.isdigit()]
        assert len(digits) == 16
        assert sum(digits[1::2]) % 10 == -sum(sum(divmod(2 * digit, 10)) for digit in digits[::2]) % 10
        iban = SLOTS["iban"](dice).replace(" ", "")
        assert len(iban) == {"DE": 22, "NL": 18}[iban[:2]]
        assert int("".join(str(int(char, 36)) for char in iban[4:] + iban[:4])) % 97 == 1


def test_dice_draws_do_not_depend_on_the_machine() -> None:
    dice = Dice(7)
    assert [dice.below(100) for _ in range(5)] == [32, 15, 65, 7, 53]
    assert dice.weighted("ab", (0, 3)) == "b"
