from pathlib import Path

import numpy as np
import pytest

from tailtune.tasks.extraction.windows import CAPITAL, DIGITS, MARK, NONE, Windows, window_starts

ODD = "Cafe\u0301 nai\u0308ve 👩\u200d💻 ❤\ufe0f O'Brien's 2026-03-12 中文 é end"


def words(windows: Windows, text: str) -> list[str]:
    row = windows([text])[0]
    return [text[start:end] for start, end in zip(row.starts, row.ends, strict=True)]


def test_words_are_stretches_of_the_text_whatever_its_characters(tiny_encoder: Path) -> None:
    marks = ["Cafe\u0301", "nai\u0308ve", "👩\u200d💻", "❤\ufe0f"]
    rest = ["O", "'", "Brien", "'", "s", "2026", "-", "03", "-", "12", "中", "文", "é", "end"]
    assert words(Windows(tiny_encoder, 64), ODD) == marks + rest


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_text_without_words_has_one_window(tiny_encoder: Path, text: str) -> None:
    row = Windows(tiny_encoder, 16)([text])[0]
    assert row.ids == [[101, 102]] and row.kinds == [[NONE, NONE]]
    assert len(row.starts) == len(row.window) == 0 and row.tokens == 2


def test_kinds_stand_at_every_sub_word(tiny_encoder: Path) -> None:
    row = Windows(tiny_encoder, 64)(["Xylophonists 12."])[0]
    pieces = int(row.column[1] - row.column[0])
    assert pieces > 1, "one piece would hide the others"
    assert row.kinds == [[NONE, *[CAPITAL] * pieces, DIGITS, MARK, NONE]]


def test_one_text_is_windowed_as_among_others(tiny_encoder: Path) -> None:
    windows = Windows(tiny_encoder, 12)
    for alone, among in zip((windows([ODD])[0], windows(["x"])[0]), windows([ODD, "x"]), strict=True):
        assert alone.ids == among.ids and np.array_equal(alone.ends, among.ends)
        assert np.array_equal(alone.window, among.window) and np.array_equal(alone.column, among.column)


@pytest.mark.parametrize(("max_tokens", "overlap"), [(12, 4), (8, 64), (16, 0), (20, 7)])
@pytest.mark.parametrize("length", [5, 11, 19, 64, 65, 201])
def test_windows_stitch_exactly(tiny_encoder: Path, max_tokens: int, overlap: int, length: int) -> None:
    """Every word is read once, in order, from its own token, where it is farthest from an edge."""
    random = np.random.default_rng(length)
    text = " ".join(random.choice(["card", "fee", "xylophonists", "7", "-"], length))
    row = Windows(tiny_encoder, max_tokens, overlap)([text])[0]
    whole = Windows(tiny_encoder, 10_000)([text])[0]
    assert len(whole.ids) == 1 and np.array_equal(row.starts, whole.starts) and np.array_equal(row.ends, whole.ends)
    tokens = whole.ids[0][1:-1]
    begins = [0]
    if len(row.ids) > 1:
        room = max_tokens - 2
        begins = window_starts(len(tokens), room, room - min(overlap, room // 2)).tolist()
    assert [window[1:-1] for window in row.ids] == [tokens[at : at + len(row.ids[0]) - 2] for at in begins]
    assert begins[-1] + len(row.ids[-1]) - 2 == len(tokens)
    for at, place in enumerate(whole.column - 1):
        chosen = int(row.window[at])
        assert begins[chosen] + row.column[at] - 1 == place
        margins = [margin(place, begin, len(row.ids[0]) - 2, len(tokens)) for begin in begins]
        assert margins[chosen] == max(margins)


def margin(place: int, begin: int, room: int, tokens: int) -> float:
    """Tokens between a place and the nearest edge of a window that cuts the text; below 0 outside of it."""
    left = place - begin if begin > 0 or place < begin else float("inf")
    right = begin + room - 1 - place if begin + room < tokens or place >= begin + room else float("inf")
    return min(left, right)


def test_a_text_of_20_000_characters_is_read_to_its_end(tiny_encoder: Path) -> None:
    text = "claim 4711, " * 1_700
    row = Windows(tiny_encoder, 64)([text])[0]
    assert len(text) > 20_000
    assert text[row.starts[-1] : row.ends[-1]] == "," and row.ends[-1] == len(text) - 1
    assert len(row.ids) > 50 and {len(window) for window in row.ids} == {64}


@pytest.mark.parametrize("max_tokens", [0, 7])
def test_a_window_that_holds_nothing_is_refused(tiny_encoder: Path, max_tokens: int) -> None:
    with pytest.raises(ValueError, match=f"max_tokens is {max_tokens}, expected 8 or more"):
        Windows(tiny_encoder, max_tokens)


def test_another_vocabulary_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    text = (tiny_encoder / "tokenizer.json").read_text(encoding="utf-8").replace("[MASK]", "<mask>")
    (tmp_path / "tokenizer.json").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"no token \[MASK\]"):
        Windows(tmp_path, 64)
