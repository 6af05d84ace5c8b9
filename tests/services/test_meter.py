"""What work used is counted, children included, and priced only when a price is known."""

from __future__ import annotations

import subprocess
import sys
import time

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


def test_children_count_in_time_and_memory() -> None:
    meter = Meter()
    code = "import time; x = bytearray(600 * 2**20); t = time.process_time()\nwhile time.process_time() - t < 0.2: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    found = meter.cost(None)
    assert found.cpu_s >= 0.2
    assert found.peak_memory_mb >= 600


def test_time_goes_on() -> None:
    meter = Meter()
    first = meter.wall_s
    time.sleep(0.01)
    assert meter.wall_s > first
    assert meter.cost(None).peak_memory_mb > 5
