"""Texts that the encoder cannot read, or that are longer than it reads: named, and no ground for a fine-tune."""

from __future__ import annotations

from pathlib import Path

import pytest
from config.examples import MODEL_YAML, project
from judge.evidence import evidence, product_targets, rung

from tailtune.cli.check import encoder_lines
from tailtune.core.encoders import Reading
from tailtune.core.figures import share
from tailtune.judge.verdict import verdict
from tailtune.predictors.encoder import Encoder, Tokens
from tailtune.predictors.reading import encoder_path, longest_input, reading
from tailtune.tasks.use_case import load_use_case


@pytest.mark.parametrize(
    "text",
    ["สวัสดีครับ ต้องการคืนเงิน", "привет, верните мне деньги", "안녕하세요 환불 부탁드립니다", "مرحبا أريد استرداد المال",
     "我要退款因为商品坏了",
     "γεια σας θέλω τα χρήματά μου", "😀😀 😡", "नमस्ते मुझे पैसे वापस चाहिए", "שלום אני רוצה החזר"],
)  # fmt: skip
def test_a_script_the_encoder_never_saw_is_unreadable(text: str) -> None:
    found = reading([text])
    assert (found.unreadable_rows, found.mostly_unreadable) == (1, True)
    assert found.lines[0].startswith("the encoder cannot read 100.0 % of the texts (1 of 1 looked at)")


@pytest.mark.parametrize(
    "text",
    ["please refund me", "Größe, naïve, café", "Zażółć gęślą jaźń", "Chào bạn có khỏe không",
     "ich möchte mein Geld zurück",
     "order QX-77819 is late", "12 34 !!", "", "ok 😀, thanks", "C++ or C#?", "<email> wrote to <phone>"],
)  # fmt: skip
def test_what_the_encoder_has_pieces_for_is_readable(text: str) -> None:
    found = reading([text])
    assert (found.unreadable_rows, found.cut_rows, found.lines) == (0, 0, ())


def test_shares_are_those_of_the_texts() -> None:
    found = reading(["привет"] * 1 + ["hello"] * 3)
    assert (found.rows, found.unreadable_rows, found.mostly_unreadable) == (4, 1, False)
    assert found.unread_share == pytest.approx(6 / 21)
    assert reading([]).mostly_unreadable is False


def test_many_texts_are_sampled_evenly() -> None:
    found = reading([*["hello"] * 3000, *["привет"] * 3000])
    assert found.rows == 2000
    assert found.unreadable_rows == 1000


@pytest.mark.parametrize(("max_tokens", "most", "cut"), [(None, 512, 1), (128, 128, 2), (9999, 512, 1)])
def test_texts_longer_than_the_encoder_reads_are_counted(max_tokens: int | None, most: int, cut: int) -> None:
    found = reading(["word " * 600, "word " * 200, "word"], max_tokens)
    assert (found.max_tokens, found.cut_rows) == (most, cut)
    assert found.lines == (
        f"the encoder reads {most} tokens; {share(cut / 3)} of the texts ({cut} of 3 looked at) are longer and cut",
    )


def test_the_encoder_reads_a_long_text_to_its_end() -> None:
    encoder, start = Encoder.load(precision="fp32"), "the weather was fine and nothing happened " * 30
    first, other = encoder.embed([start + "refund my card", start + "export a spreadsheet"])
    assert len(Tokens(encoder_path(), longest_input(encoder_path()))([start])[0]) > 128
    assert float(first @ other) < 0.9999


def test_no_fine_tune_is_proposed_on_texts_that_the_encoder_cannot_read() -> None:
    facts = evidence(rung("tfidf", 0.80))
    targets = product_targets(0.95)
    assert verdict(facts, targets, 5).verdict == "fine-tune"
    seen = Reading(rows=100, unreadable_rows=51, unread_share=0.6, cut_rows=0, max_tokens=512)
    outcome = verdict(evidence(rung("tfidf", 0.80), reading=seen), targets, 5)
    assert outcome.verdict == "not-yet"
    assert "the encoder cannot read 51.0 % of the texts" in outcome.reason
    assert outcome.reason.endswith("an encoder of their language must come first")
    half = seen.model_copy(update={"unreadable_rows": 50})
    assert verdict(evidence(rung("tfidf", 0.80), reading=half), targets, 5).verdict == "fine-tune"


def test_check_names_the_share(tmp_path: Path) -> None:
    paths = project(tmp_path, MODEL_YAML)
    data = paths.case("tickets").data
    data.mkdir(parents=True)
    (data / "rows.csv").write_text("text,label\nпривет мир,billing\nhello world,login\n", encoding="utf-8")
    assert [line[:68] for line in encoder_lines(load_use_case(paths, "tickets"))] == [
        "the encoder cannot read 50.0 % of the texts (1 of 2 looked at): half"
    ]
