"""The sample claims keep their promises: the same bytes everywhere, honest about what is hard and what is wrong."""

import json
import re
from collections import Counter, defaultdict
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from tailtune.samples.insurance_claims import Written, bank, write
from tailtune.samples.insurance_claims.calendar import NEW_FORM, stamp
from tailtune.samples.support_tickets.duplicates import similarity
from tailtune.tasks.extraction.schema import ObjectSchema
from tailtune.tasks.extraction.schema_reader import load_schema
from tailtune.tasks.extraction.values import normalise

SCHEMA = Path(__file__).parents[2] / "models" / "insurance-claims" / "schema.json"
CLAIMS_SHA256 = "5a0745b005281bec1d9f2b0012ed84518f2774eae229520632d577efb7480abe"
TRUTH_SHA256 = "fb17409b186269c27c6e7b5b25c9fde47ea58df25f5c6a3bc7191b2530dfec8f"
LISTS = ("damaged_items", "witnesses")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def claims(written: Written) -> list[Row]:
    return _rows(written.claims)


@pytest.fixture(scope="module")
def truth(written: Written) -> list[Row]:
    return _rows(written.truth)


@pytest.fixture(scope="module")
def schema() -> ObjectSchema:
    return load_schema(SCHEMA, "models/insurance-claims/schema.json", "tailtune check insurance-claims")


def _rows(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _stated(row: Row, text: str) -> dict[str, list[str]]:
    """Field → what its spans cover."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for one in row["entities"]:
        found[one["label"]].append(text[one["start"] : one["end"]])
    return found


def test_bytes_are_the_same_everywhere(written: Written) -> None:
    assert sha256(written.claims.read_bytes()).hexdigest() == CLAIMS_SHA256
    assert sha256(written.truth.read_bytes()).hexdigest() == TRUTH_SHA256
    folder = written.claims.parents[1]
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert files == ["insurance-claims/claims.jsonl", "truth/insurance-claims.jsonl"]
    assert b"\r" not in written.claims.read_bytes()


def test_rows_have_the_promised_keys_in_order_of_time(written: Written, claims: list[Row], truth: list[Row]) -> None:
    assert len(claims) == len(truth) == written.rows == 15_000
    keys = ["id", "received_at", "channel", "policyholder", "text", "entities", "fields"]
    assert all(list(row) == keys for row in claims)
    keys = ["line", "fields", "entities", "wrong_fields", "kind", "near_duplicate_of"]
    assert all(list(row) == keys for row in truth)
    assert [row["id"] for row in claims] == [f"C{line:05}" for line in range(1, 15_001)]
    assert [row["line"] for row in truth] == list(range(1, 15_001))
    times = [row["received_at"] for row in claims]
    assert times == sorted(times) and times[0] >= "2026-01-01T00:00:00Z" and times[-1] < "2026-07-01T00:00:00Z"


def test_the_schema_is_strict_and_has_45_described_fields(schema: ObjectSchema) -> None:
    assert len(schema.names) == 45 and list(schema.document["required"]) == list(schema.names)
    assert schema.document["additionalProperties"] is False
    assert all(one.description.endswith(".") for one in schema.fields)
    assert {one.kind for one in schema.fields} == {
        "text",
        "integer",
        "date",
        "time",
        "money",
        "phone",
        "email",
        "choice",
        "flag",
    }
    assert tuple(one.name for one in schema.fields if one.many) == LISTS


def test_every_object_is_valid_right_or_wrong(claims: list[Row], truth: list[Row], schema: ObjectSchema) -> None:
    validator = Draft202012Validator(dict(schema.document), format_checker=FormatChecker(["date", "email"]))
    nothing = {name: [] if name in LISTS else None for name in schema.names}
    for row in (*claims[::23], *truth[::23]):
        faults = [error.message for error in validator.iter_errors(nothing | row["fields"])]
        assert not faults, (row, faults)


def test_spans_lie_in_order_inside_the_text_without_blank_edges(claims: list[Row], truth: list[Row]) -> None:
    spans = 0
    for claim, true in zip(claims, truth, strict=True):
        for row in (claim, true):
            last = 0
            for one in row["entities"]:
                assert last <= one["start"] < one["end"] <= len(claim["text"]), claim["id"]
                surface = claim["text"][one["start"] : one["end"]]
                assert surface == surface.strip(), claim["id"]
                last, spans = one["end"], spans + 1
    assert spans > 200_000


def test_every_span_value_has_its_spans(claims: list[Row], truth: list[Row], schema: ObjectSchema) -> None:
    spanned = {one.name for one in schema.spanned}
    for claim, true in zip(claims, truth, strict=True):
        for row in (claim, true):
            found = _stated(row, claim["text"])
            assert set(found) == {name for name in row["fields"] if name in spanned}, claim["id"]
            for name in LISTS:
                surfaces = {" ".join(one.split()).casefold() for one in found.get(name, ())}
                assert len(surfaces) == len(row["fields"].get(name, ())), claim["id"]


def test_normalising_what_the_text_says_gives_the_true_value(
    claims: list[Row], truth: list[Row], schema: ObjectSchema
) -> None:
    right, wrong = 0, []
    for claim, true in list(zip(claims, truth, strict=True))[::12]:
        text = true["fields"].get("report_date")
        for name, surfaces in _stated(true, claim["text"]).items():
            anchor = date.fromisoformat(text) if text and schema[name].relative_to else None
            expected = true["fields"][name]
            for surface in surfaces:
                value = normalise(schema[name], surface, anchor).value
                needed = expected if name in LISTS else [expected]
                same = value in needed or str(value).casefold() in (str(one).casefold() for one in needed)
                right += same
                wrong += [] if same else [(claim["id"], name, surface, value, expected)]
    assert right > 8_000
    assert right / (right + len(wrong)) >= 0.995, wrong[:10]


def test_kinds_come_in_the_promised_shares(written: Written, claims: list[Row], truth: list[Row]) -> None:
    assert Counter(row["kind"] for row in truth) == written.rows_by_kind
    share = {kind: rows / written.rows for kind, rows in written.rows_by_kind.items()}
    assert 0.025 <= share["near_duplicate"] <= 0.035
    assert 0.003 <= share["exact_duplicate"] <= 0.007
    assert 0.001 <= share["empty"] <= 0.003
    assert 0.015 <= share["over_long"] <= 0.025
    for claim, true in zip(claims, truth, strict=True):
        assert (true["kind"] == "empty") == (not claim["text"].strip())
        assert (true["kind"] == "over_long") == (len(claim["text"]) > 2_000)


def test_labels_are_wrong_in_clusters(written: Written, claims: list[Row], truth: list[Row]) -> None:
    by_field, by_row = written.wrong_fields / written.fields, written.wrong_rows / written.rows
    print(f"{by_field:.2%} of the fields are labelled wrong, they stand in {by_row:.2%} of the rows")
    assert 0.025 <= by_field <= 0.035
    assert 0.13 <= by_row <= 0.17
    fields: Counter[str] = Counter()
    for claim, true in zip(claims, truth, strict=True):
        names = {*claim["fields"], *true["fields"]}
        given, found = _stated(claim, claim["text"]), _stated(true, claim["text"])
        differ = {name for name in names if claim["fields"].get(name) != true["fields"].get(name)}
        differ |= {name for name in names if given.get(name) != found.get(name)}
        assert differ <= set(true["wrong_fields"]), claim["id"]
        assert bool(true["wrong_fields"]) == bool(differ or claim["entities"] != true["entities"]), claim["id"]
        fields.update(true["wrong_fields"])
    assert sum(fields.values()) == written.wrong_fields
    assert len(fields) == 45


def test_duplicates_repeat_an_earlier_text_and_others_do_not(claims: list[Row], truth: list[Row]) -> None:
    repeats = [row for row in truth if row["near_duplicate_of"] is not None]
    assert len(repeats) > 400 and all(row["kind"].endswith("_duplicate") for row in repeats)
    close = []
    for row in repeats:
        one, first = claims[row["line"] - 1], claims[row["near_duplicate_of"] - 1]
        assert row["near_duplicate_of"] < row["line"] and one["policyholder"] == first["policyholder"]
        assert row["fields"] == truth[row["near_duplicate_of"] - 1]["fields"]
        assert (one["text"] == first["text"]) == (row["kind"] == "exact_duplicate")
        close.append(similarity(one["text"], first["text"]) >= 0.85)
    assert sum(close) >= 0.98 * len(close)
    kinds = ("normal", "over_long")
    originals = [claim["text"] for claim, true in zip(claims, truth, strict=True) if true["kind"] in kinds]
    assert len(set(originals)) == len(originals)


def test_a_claim_says_ten_to_twenty_fields_and_every_field_is_learnable(
    claims: list[Row], truth: list[Row], schema: ObjectSchema
) -> None:
    counts = sorted(len(row["fields"]) for row in truth if row["kind"] != "empty")
    assert counts[len(counts) // 10] >= 7 and 11 <= counts[len(counts) // 2] <= 14 and counts[-1] <= 30
    text = Counter(name for row in truth for name in row["fields"])
    assert min(text[name] for name in schema.names) >= 500
    for one in schema.classified:
        chosen = Counter(row["fields"][one.name] for row in truth if one.name in row["fields"])
        assert set(chosen) == (set(one.choices) or {True, False}), one.name
        assert min(chosen.values()) >= 200, one.name
    channels = Counter(row["channel"] for row in claims)
    assert set(channels) == {"email", "call", "report", "form"} and min(channels.values()) > 2_000


def test_roles_compete_and_texts_take_things_back(claims: list[Row], truth: list[Row]) -> None:
    def together(*names: str) -> int:
        return sum(all(name in row["fields"] for name in names) for row in truth)

    assert together("loss_date", "report_date", "inspection_date") > 1_000
    assert together("claimant_name", "policyholder_name") > 2_000
    assert together("claimed_amount", "repair_estimate") > 1_000
    text = Counter(surface for claim, true in zip(claims, truth, strict=True) for surface in _dates(claim, true))
    assert text["yesterday"] > 200 and sum(count for day, count in text.items() if day.startswith("last ")) > 100
    takes_back = re.compile(r"sorry, I mean|was not .+, as I first|confirmed by caller|was later confirmed", re.I)
    assert sum(bool(takes_back.search(row["text"])) for row in claims) > 100


def _dates(claim: Row, true: Row) -> list[str]:
    return [one.casefold() for one in _stated(true, claim["text"]).get("loss_date", ())]


@pytest.mark.parametrize(
    ("what", "pattern", "at_least"),
    [
        ("thousands", r"\d(\.\d)?k\b", 500),
        ("European amounts", r"\d\.\d{3},\d\d", 100),
        ("amounts in words", r"(eleven|twelve|fifteen|eighteen) hundred", 3),
        ("scanned labels", r"p0l|c1a|rn|c1im|dat e", 300),
        ("phone numbers abroad", r"\+(44|49)", 500),
        ("accents", r"[éüößøåñžł]", 2_000),
        ("emoji", r"[\U0001f300-\U0001faff]", 200),
    ],
)
def test_what_makes_reading_hard_is_there(claims: list[Row], what: str, pattern: str, at_least: int) -> None:
    assert sum(bool(re.search(pattern, row["text"], re.IGNORECASE)) for row in claims) >= at_least, what


def test_the_last_month_brings_a_new_form(claims: list[Row]) -> None:
    forms = [row for row in claims if row["channel"] == "form" and row["text"].strip()]
    labels = [label for labels in bank.load().labels["new"].values() for label in labels if len(label) > 10]
    assert len(labels) > 45
    new = re.compile("|".join(re.escape(label) for label in labels))
    before = [bool(new.search(row["text"])) for row in forms if row["received_at"] < stamp(NEW_FORM)]
    after = [bool(new.search(row["text"])) for row in forms if row["received_at"] >= stamp(NEW_FORM)]
    assert len(before) > 2_000 and len(after) > 500
    assert sum(after) > 0.8 * len(after)
    assert sum(before) < 0.01 * len(before)
