from __future__ import annotations

import shlex
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tailtune.core.errors import TailTuneError
from tailtune.core.language import Reply, Timing
from tailtune.services.endpoint import AnswerCache

REPLY = Reply(
    "sí ✓", "stop", 7, 2, 3, None, Timing(12.5, {"wait": 10.0, "body": 2.5}), retries=2, note="noted",
    form="json_object", usd_estimated=True,
)  # fmt: skip
BEFORE = """
PRAGMA application_id=31249; PRAGMA user_version=1;
CREATE TABLE answers (
    key TEXT PRIMARY KEY, text TEXT, finish TEXT NOT NULL, input_tokens INTEGER, output_tokens INTEGER,
    cached_input_tokens INTEGER NOT NULL, usd REAL, total_ms REAL NOT NULL, parts TEXT NOT NULL,
    retries INTEGER NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE refused (server TEXT NOT NULL, form TEXT NOT NULL, PRIMARY KEY (server, form)) WITHOUT ROWID;
INSERT INTO answers VALUES ('said', 'a', 'stop', 7, 2, 3, NULL, 12.5, '{"wait": 10.0}', 1, 'noted');
INSERT INTO answers VALUES ('filtered', NULL, 'content_filter', NULL, NULL, 0, NULL, 1.0, '{}', 0, '');
INSERT INTO answers VALUES ('stopped', NULL, 'content_filter', 7, 2, 0, NULL, 1.0, '{}', 0, '');
INSERT INTO refused VALUES ('s', 'json_schema');
"""
WRITER = """
import sys
from pathlib import Path
from tailtune.core.language import Reply
from tailtune.services.endpoint import AnswerCache
cache = AnswerCache(Path(sys.argv[1]))
sys.stdin.readline()
for i in range(200):
    cache.put(f"{sys.argv[2]} {i}", Reply("a", "stop", 1, 1))
cache.close()
"""


def test_a_reply_comes_back_as_it_was(cache: AnswerCache) -> None:
    cache.put("k", REPLY)
    back = cache.get("k")
    assert back is not None
    assert back.from_cache
    assert (back.text, back.finish, back.note, back.retries) == ("sí ✓", "stop", "noted", 2)
    assert (back.input_tokens, back.output_tokens, back.cached_input_tokens, back.usd) == (7, 2, 3, None)
    assert back.timing == REPLY.timing
    assert (back.form, back.usd_estimated) == ("json_object", True)


def test_a_file_of_the_format_before_is_read_on_without_what_had_no_cost(tmp_path: Path) -> None:
    """A prompt that was filtered is asked again, so that its cost is known; all else was paid for, and stays."""
    path = tmp_path / "answers.sqlite"
    old = sqlite3.connect(path)
    old.executescript(BEFORE)
    old.close()
    both = AnswerCache(path), AnswerCache(path)
    for cache in both:
        assert cache.get("filtered") is None
        assert cache.get("said") == Reply(
            "a", "stop", 7, 2, 3, None, Timing(12.5, {"wait": 10.0}), True, 1, "noted", "none", False
        )
        assert cache.refused("s") == {"json_schema"}
    both[0].put("new", REPLY)
    kept = both[1].get("new")
    assert kept is not None and kept.form == "json_object"
    assert both[1].rows() == 3
    for cache in both:
        cache.close()


def test_a_file_of_a_later_format_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    later = sqlite3.connect(path)
    later.executescript(BEFORE.replace("user_version=1", "user_version=4"))
    later.close()
    cache = AnswerCache(path)
    with pytest.raises(TailTuneError, match="not a file of answers that this version kept"):
        cache.get("said")
    cache.close()


def test_nothing_and_no_usage_are_kept_as_such(cache: AnswerCache) -> None:
    cache.put("k", Reply(None, "content_filter", None, None, usd=0.0))
    back = cache.get("k")
    assert back is not None
    assert (back.text, back.input_tokens, back.output_tokens, back.usd) == (None, None, None, 0.0)


def test_an_unknown_key_has_no_reply(cache: AnswerCache) -> None:
    cache.put("k", REPLY)
    assert cache.get("K") is None


def test_answers_outlive_the_process_that_bought_them(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "answers.sqlite"
    first = AnswerCache(path)
    assert not path.parent.exists(), "made only when it is needed"
    first.put("k", REPLY)
    first.put("k", Reply("later", "stop", 1, 1))
    assert first.rows() == 1
    first.close()
    second = AnswerCache(path)
    kept = second.get("k")
    assert kept is not None
    assert kept.text == "later"
    second.close()


def test_a_closed_cache_opens_again(cache: AnswerCache) -> None:
    cache.put("k", REPLY)
    cache.close()
    cache.close()
    assert cache.rows() == 1


def test_threads_share_it(cache: AnswerCache) -> None:
    def write(name: str) -> None:
        for i in range(50):
            cache.put(f"{name} {i}", REPLY)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.rows() == 150


def test_processes_share_it_from_the_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path)]
    running = [subprocess.Popen([*command, name], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for name in "abc"]
    for one in running:
        assert one.stdin is not None
        one.stdin.write(b"\n")
        one.stdin.flush()
    errors = [one.communicate(timeout=60)[1].decode() for one in running]
    assert [one.returncode for one in running] == [0, 0, 0], errors
    cache = AnswerCache(path)
    assert cache.rows() == 600
    cache.close()


@pytest.mark.parametrize("damage", ["text", "other program", "broken"])
def test_a_file_that_is_something_else_is_told_with_the_remedy_and_left_alone(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "kept answers.sqlite"
    if damage == "text":
        path.write_text("not a database, but long enough to be looked at as one\n" * 50, encoding="utf-8")
    elif damage == "other program":
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE runs (id)")
        other.commit()
        other.close()
    else:
        whole = AnswerCache(path)
        for i in range(200):
            whole.put(f"{i}", REPLY)
        whole.close()
        content = bytearray(path.read_bytes())
        content[4096:] = b"\x07" * (len(content) - 4096)
        path.write_bytes(content)
    before = path.read_bytes()
    cache = AnswerCache(path)
    with pytest.raises(TailTuneError) as raised:
        cache.get("5")
    assert str(path) in raised.value.message
    assert shlex.split(str(raised.value.hint).partition(",")[0]) == ["mv", str(path), f"{path}.old"]
    assert path.read_bytes() == before
    cache.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    cache = AnswerCache(tmp_path / "file" / "answers.sqlite")
    with pytest.raises(TailTuneError, match="cannot be kept there") as raised:
        cache.put("k", REPLY)
    assert "TAILTUNE_ANSWERS" in str(raised.value.hint)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "answers.sqlite").mkdir()
    with pytest.raises(TailTuneError, match="cannot be kept there"):
        AnswerCache(tmp_path / "answers.sqlite").rows()


def test_refused_forms_are_remembered_by_server(cache: AnswerCache) -> None:
    cache.note_refused("s1", "json_schema")
    cache.note_refused("s1", "json_schema")
    cache.note_refused("s2", "json_object")
    assert cache.refused("s1") == {"json_schema"}
    assert cache.refused("s3") == frozenset()


def test_a_cache_that_nobody_closed_closes_its_file(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers.db")
    cache.put("key", REPLY)
    connection = cache._connection
    assert connection is not None
    del cache
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
