"""The price list, and what is unknown when a price is left out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from config.examples import project
from tailtune.config.prices import DEFAULTS, DEFAULTS_OF, PriceSpec, load_prices
from tailtune.core.errors import SpecError


def load(root: Path, text: str) -> PriceSpec:
    paths = project(root)
    paths.prices.write_text(text, encoding="utf-8")
    return load_prices(paths)


def test_a_machine_costs_its_cores(tmp_path: Path) -> None:
    found = load(tmp_path, "as_of: 2026-11-01\ncpu_core_hour_usd: 0.04\nmachine_cores: 3\n")
    assert found.as_of == date(2026, 11, 1)
    assert found.machine_hour_usd == pytest.approx(0.12)


def test_a_price_left_out_is_unknown_not_0(tmp_path: Path) -> None:
    assert load(tmp_path / "a", "as_of: 2026-11-01\n").machine_hour_usd is None
    assert load(tmp_path / "b", "as_of: 2026-11-01\ncpu_core_hour_usd: 0\n").machine_hour_usd == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu_core_hour_usd: 1\n", r"models/prices\.yaml:1  as_of: missing\n"),
        ("as_of: 2026-13-45\n", r"models/prices\.yaml:1  as_of: no such value: '2026-13-45'"),
        ("as_of: 2026-11-01\nmachine_cores: -1\n", r"models/prices\.yaml:2  machine_cores: .*found -1"),
        ("as_of: 2026-11-01\nmachine_core: 1\n", r"models/prices\.yaml:2  .*did you mean machine_cores\?"),
        ("as_of: 2026-11-01\nmachine_cores: 0\n", r"models/prices\.yaml:2  machine_cores: "),
    ],
)
def test_faults_have_their_line(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(SpecError, match=expected) as caught:
        load(tmp_path, text)
    assert caught.value.hint == "edit models/prices.yaml"


def test_a_missing_price_list_is_a_fault(tmp_path: Path) -> None:
    paths = project(tmp_path)
    paths.prices.unlink()
    with pytest.raises(SpecError, match=r"models/prices\.yaml  no such file"):
        load_prices(paths)


def test_the_shipped_prices_hold() -> None:
    from tailtune.config.paths import Paths

    assert load_prices(Paths(Path(__file__).parents[2])).machine_hour_usd is not None


def test_tokens_are_reckoned_with_those_that_were_cached(tmp_path: Path) -> None:
    text = "as_of: 2026-11-01\ntokens:\n  small: {input_usd_per_million: 1, output_usd_per_million: 4}\n"
    price = load(tmp_path, text).tokens["small"]
    assert price.usd(1_000_000, 500_000) == pytest.approx(3.0)
    assert price.usd(1_000_000, 0, 400_000) == pytest.approx(1.0), "no other price is declared for cached ones"
    cheap = price.model_copy(update={"cached_input_usd_per_million": price.input_usd_per_million / 10})
    assert cheap.usd(1_000_000, 0, 400_000) == pytest.approx(0.64)


def test_the_shipped_prices_are_the_defaults() -> None:
    from tailtune.config.paths import Paths

    shipped = load_prices(Paths(Path(__file__).parents[2]))
    assert shipped.as_of == DEFAULTS_OF
    assert {name: getattr(shipped, name) for name in DEFAULTS} == DEFAULTS
    assert shipped.defaults == set(DEFAULTS)


def test_a_price_is_declared_by_changing_it_or_the_day_it_was_looked_up(tmp_path: Path) -> None:
    same = "label_usd: 0.08\nperson_hour_usd: 75\n"
    assert load(tmp_path / "a", f"as_of: 2026-11-01\n{same}").defaults == {"label_usd", "person_hour_usd"}
    assert load(tmp_path / "b", "as_of: 2026-11-01\nlabel_usd: 0.31\nperson_hour_usd: 75\n").defaults == {
        "person_hour_usd"
    }
    assert load(tmp_path / "c", f"as_of: 2026-11-02\n{same}").defaults == set()
    assert load(tmp_path / "d", "as_of: 2026-11-01\n").defaults == set()
