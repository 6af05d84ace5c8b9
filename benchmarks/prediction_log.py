"""What logging an answer costs: appended by a worker, moved into SQLite or PostgreSQL by the writer, read again.

python benchmarks/prediction_log.py [ROWS] [URL]   e.g. 50000 postgresql://postgres@127.0.0.1:5432/postgres
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

from tailtune.services.prediction_log import LoggedPrediction, Spool
from tailtune.services.prediction_log.store import PredictionLog
from tailtune.services.prediction_log.writer import move_spools

USE_CASE = "tickets"
LIKELIEST = (("charged_twice", 0.93), ("refund", 0.03), ("card_lost", 0.01), ("login", 0.005), ("delivery", 0.002))


def record(number: int, embedding: bytes) -> LoggedPrediction:
    return LoggedPrediction(
        at_us=time.time_ns() // 1000,
        use_case=USE_CASE,
        version="3",
        route="model",
        request_id=f"request-{number:012d}",
        latency_ms=1.73,
        client="shop",
        text="my card was charged two times for the order that i placed last monday, and nobody answers",
        text_hash="0" * 32,
        answer="charged_twice",
        confidence=0.93,
        likeliest=LIKELIEST,
        embedding=embedding,
        novelty=0.12,
        unknown_share=0.0,
        tokens=17,
        metadata={"channel": "mail", "language": "en"},
        slices={"channel": "mail"},
    )


def append(folder: Path, rows: int) -> Spool:
    spool, embedding = Spool(folder), os.urandom(768)
    took = []
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(rows):
        start = time.perf_counter_ns()
        assert spool.append([record(number, embedding)])
        took.append((time.perf_counter_ns() - start) / 1000)
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    took.sort()
    size = sum(file.stat().st_size for file in folder.iterdir()) / rows
    print(
        f"make and append a row    {wall / rows * 1e6:8.1f} µs, processor {used / rows * 1e6:.1f} µs, {size:,.0f} bytes"
    )
    print(f"  p50 {took[rows // 2]:.1f} µs · p99 {took[rows * 99 // 100]:.1f} µs · longest {took[-1] / 1000:.1f} ms")
    return spool


def move(log: PredictionLog, folder: Path, rows: int) -> None:
    began, cpu = time.perf_counter(), time.process_time()
    moved = move_spools(log, folder)
    wall, used = time.perf_counter() - began, time.process_time() - cpu
    assert moved.rows == rows, moved
    store = log.shown.partition(":")[0]
    print(f"move into {store:14} {rows / wall:9,.0f} rows/s, processor {used / rows * 1e6:.1f} µs a row")
    began = time.perf_counter()
    read = sum(1 for _ in log.rows(USE_CASE, columns=("at_us", "answer", "confidence", "embedding")))
    print(f"read again               {read / (time.perf_counter() - began):8,.0f} rows/s")
    print(f"room                     {log.size_bytes() / rows:8,.0f} bytes a row")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "spool"
        spool = append(folder, rows)
        log = PredictionLog(sys.argv[2] if len(sys.argv) > 2 else f"sqlite:///{place}/log.sqlite")
        move(log, folder, rows)
        log.close()
        spool.close()


if __name__ == "__main__":
    main()
