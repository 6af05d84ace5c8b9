"""A data file is written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from house.tree import ROOT

from tailtune.cli.sample import example
from tailtune.config.paths import Paths

CHECKOUT = Paths(ROOT)
write_lines = example(CHECKOUT, "files").write_lines


def test_rows_become_lines_with_their_characters_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    write_lines(path, [{"text": "Köln\n🙂"}, {"n": 1}])
    assert path.read_bytes() == '{"text": "Köln\\n🙂"}\n{"n": 1}\n'.encode()


def test_a_failure_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    def rows() -> Iterator[dict[str, int]]:
        yield {"n": 1}
        raise RuntimeError("no more")

    path = tmp_path / "rows.jsonl"
    write_lines(path, [{"n": 0}])
    with pytest.raises(RuntimeError, match="no more"):
        write_lines(path, rows())
    assert path.read_text(encoding="utf-8") == '{"n": 0}\n'
    assert [item.name for item in tmp_path.iterdir()] == ["rows.jsonl"]
