"""A batch in the prediction log: each answered row once, with what a server would have logged of it."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from serving.batch.probe import saved_probe
from tailtune.config.serving import LogSpec
from tailtune.core.errors import ServiceError, UsageError
from tailtune.core.progress import Silent
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.serving.batch.answering import Blocks, by_processes
from tailtune.serving.batch.kept import EarlierRuns, KeptAnswer
from tailtune.serving.batch.log import BatchLog
from tailtune.serving.batch.run import BatchRequest, Summary, predict_file
from tailtune.serving.batch.seen import seen_now, seen_of
from tailtune.serving.batch.source import BLOCK_ROWS
from tailtune.tasks.answerer import Answerer

ROWS = BLOCK_ROWS * 3


def answering(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
    """Answers the length of a text; what stands in quotes fails."""
    for block in blocks:
        yield [
            KeptAnswer(None, None, problem="fails") if text.startswith("'") else KeptAnswer(text, 0.5, seen=seen_now())
            for text in block
        ]


@pytest.fixture
def batch_log(tmp_path: Path) -> BatchLog:
    return BatchLog(f"sqlite:///{tmp_path}/log/log.db", "inbox", "3", ("email",), ("channel",), LogSpec())


def request_in(folder: Path, rows: int = ROWS) -> BatchRequest:
    source = folder / "in.csv"
    lines = (f"{' mail ' if n % 2 else ' '},{n} a@example.com\n" if n % 100 else ",'\n" for n in range(rows))
    source.write_text("channel,text\n" + "".join(lines))
    return BatchRequest(source, folder / "out.csv", "text", "classification", {"version": "3"})


def stored(log: BatchLog) -> list[dict[str, Any]]:
    store = PredictionLog(log.url)
    try:
        return list(store.rows("inbox"))
    finally:
        store.close()


def run(request: BatchRequest, log: BatchLog | None) -> Summary:
    return predict_file(request, answering, Silent(), log)


def test_answered_rows_are_logged_and_failed_ones_are_not(batch_log: BatchLog, tmp_path: Path) -> None:
    summary = run(request_in(tmp_path), batch_log)
    rows = stored(batch_log)
    failed = len(range(0, ROWS, 100))
    assert (
        (summary.rows, summary.problems, summary.logged)
        == (ROWS, failed, ROWS - failed)
        == (ROWS, failed, len(rows) + 0)
    )
    first, second = rows[:2]
    assert (first["row"], first["text"], first["answer"]) == (1, "1 <email>", "1 a@example.com")
    assert (first["slices"], second["slices"]) == ({"channel": "mail"}, {})
    assert (first["version"], first["route"], first["client"]) == ("3", "model", "tailtune predict")
    assert len({row["request_id"] for row in rows}) == 1
    store = PredictionLog(batch_log.url)
    assert store.counts("inbox").stored == len(rows)
    assert store.moved_bytes(f"predict-{rows[0]['request_id']}") == 0, "nothing is kept of a run that has ended"
    store.close()


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_a_run_that_is_cut_off_while_it_logs_logs_each_row_once(
    blocks: int, batch_log: BatchLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = PredictionLog.take, list[int]()

    def cut(self: PredictionLog, *values: Any) -> bool:
        if len(taken) == blocks:
            raise KeyboardInterrupt
        taken.append(1)
        return take(self, *values)

    monkeypatch.setattr(PredictionLog, "take", cut)
    request = request_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(request, batch_log)
    assert not request.out.exists()
    monkeypatch.undo()
    summary = run(request, batch_log)
    rows = [row["row"] for row in stored(batch_log)]
    assert rows == sorted(set(rows)) and len(rows) == summary.logged == ROWS - summary.problems
    assert summary.before == ROWS


def test_a_store_that_is_away_is_named_and_the_same_command_goes_on(batch_log: BatchLog, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "log.db").write_bytes(b"no database" * 100)
    request = request_in(tmp_path, 10)
    with pytest.raises(ServiceError, match="the prediction log"):
        run(request, batch_log)
    (tmp_path / "log" / "log.db").unlink()
    assert run(request, batch_log).logged == 9
    assert not request.unfinished.exists()


def test_answers_that_were_kept_for_no_log_are_not_half_logged(batch_log: BatchLog, tmp_path: Path) -> None:
    request = request_in(tmp_path, 10)
    with pytest.raises(KeyboardInterrupt):
        predict_file(request, interrupted, Silent())
    with pytest.raises(UsageError, match="prediction log: None then, yes now"):
        run(request, batch_log)
    assert run(request, None).logged is None


def interrupted(blocks: Blocks, before: EarlierRuns) -> Generator[list[KeptAnswer]]:
    yield from ()
    raise KeyboardInterrupt


def test_the_log_has_what_a_server_logs(tmp_path: Path, tiny_encoder: Path, tmp_path_factory: Any) -> None:
    probe = saved_probe(tmp_path_factory, tiny_encoder)
    ((row,),) = by_processes([["my card"]], probe, "1", 1, is_logged=True)
    answerer = Answerer(probe, "1")
    expected = seen_of(answerer.answer("my card"), 0.0)
    assert row.seen is not None and expected["embedding"] and expected["tokens"]
    same = ("embedding", "novelty", "unknown_share", "tokens")
    assert {name: row.seen[name] for name in same} == {name: expected[name] for name in same}
    assert [tuple(each) for each in row.seen["likeliest"]] == list(expected["likeliest"])
    source = tmp_path / "in.csv"
    source.write_text("text\nmy card\n")
    log = BatchLog(f"sqlite:///{tmp_path}/log.db", "inbox", "1", (), (), LogSpec(text="hash"))
    request = BatchRequest(source, tmp_path / "out.jsonl", "text", "classification", {"version": "1"})
    predict_file(request, lambda blocks, before: (block for block in [[row]]), Silent(), log)
    (found,) = stored(log)
    assert found["text"] is None and found["text_hash"]
    assert found["embedding"] == answerer.answer("my card").embedding
    assert found["latency_ms"] > 0 and len(found["likeliest"]) == 3
