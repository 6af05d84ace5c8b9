"""What work used is counted, children included, and priced only when a price is known."""

from __future__ import annotations

import subprocess
import sys
import time
from mmap import mmap

import pytest

from tailtune.services.meter import Meter


def test_waiting_costs_wall_time_and_working_costs_processor_time() -> None:
    waiting = Meter()
    time.sleep(0.15)
    waited = waiting.cost(3600.0)
    working = Meter()
    begun = time.process_time()
    while time.process_time() - begun < 0.15:
        pass
    worked = working.cost(None)
    assert waited.wall_s >= 0.15
    assert waited.cpu_s < 0.1
    assert worked.cpu_s >= 0.14
    assert worked.wall_s >= worked.cpu_s * 0.5


def test_an_hour_of_a_machine_is_priced_by_wall_time() -> None:
    meter = Meter()
    time.sleep(0.05)
    found = meter.cost(7200.0)
    assert found.usd == pytest.approx(found.wall_s * 2, abs=0.01)
    assert meter.cost(None).usd is None
    assert meter.cost(0.0).usd == 0


CHILD = "import time; x = bytearray(600 * 2**20); t = time.process_time()\nwhile time.process_time() - t < 0.2: pass"
PARENT = """
import subprocess, sys
from tailtune.services.meter import Meter
meter = Meter()
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
first, second = meter.cost(None), Meter().cost(None)
print(first.cpu_s, first.peak_memory_mb, second.peak_memory_mb)
"""


def test_children_count_in_time_and_memory_of_the_work_that_had_them() -> None:
    words = [sys.executable, "-c", PARENT, CHILD]
    written = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    cpu_s, memory_mb, memory_mb_afterwards = map(float, written.split())
    assert cpu_s >= 0.2
    assert memory_mb >= 600
    assert memory_mb_afterwards < 300


def test_memory_is_that_of_the_work_and_not_of_what_was_done_before() -> None:
    with mmap(-1, 400 * 2**20) as before:  # pages of its own, which go back to the system at once
        before.write(b"x" * len(before))
        with_it = Meter().cost(None).peak_memory_mb
    assert Meter().cost(None).peak_memory_mb < with_it - 300


def test_time_goes_on() -> None:
    meter = Meter()
    first = meter.wall_s
    time.sleep(0.01)
    assert meter.wall_s > first
    assert meter.cost(None).peak_memory_mb > 5
