from __future__ import annotations

from tailtune.tasks.extraction.values.places import ALIKE, EXACT, LOOSE, SCANNED, Reader
from tasks.extraction.values.schemas import EVERY


def test_places_are_ranked_by_how_sure_they_are() -> None:
    text = "Thompson Thornpson Thompsons"
    places = Reader(text).places(EVERY["name"], "thompson")
    assert [(place.rank, place.start) for place in places] == [(EXACT, 0), (LOOSE, 19)]
    assert [place.rank for place in Reader("Thornpson").places(EVERY["name"], "Thompson")] == [SCANNED]
    assert [place.rank for place in Reader("Thombson & Sons").places(EVERY["name"], "Thompson & Sons")] == [ALIKE]
    assert Reader("Smith").places(EVERY["name"], "Thompson") == []


def test_the_fields_name_around_a_place_comes_before_its_length() -> None:
    text = "Monday, 4 May 2026 we met; date of the report: 4 May 2026"
    best = Reader(text).places(EVERY["report_date"], "2026-05-04")[0]
    assert best.start == text.rindex("4 May")


def test_dates_count_from_the_anchor_given() -> None:
    reader = Reader("it was yesterday")
    assert reader.places(EVERY["loss_date"], "2026-05-11", "2026-05-12")[0].start == 7
    assert reader.places(EVERY["loss_date"], "2026-05-11", "2026-05-13") == []
    assert reader.places(EVERY["loss_date"], "2026-05-11") == []
