"""The careless annotator confuses, misses and cuts, and says so truthfully in what is written down."""

from __future__ import annotations

from house.tree import ROOT

from tailtune.cli.sample import example
from tailtune.config.paths import Paths

CHECKOUT = Paths(ROOT)
Dice = example(CHECKOUT, "dice").Dice
generate = example(CHECKOUT, "insurance_claims.generate").generate
SPARED_SHARE = example(CHECKOUT, "insurance_claims.mistakes").SPARED_SHARE
careless = example(CHECKOUT, "insurance_claims.mistakes").careless
Entity = example(CHECKOUT, "insurance_claims.pieces").Entity
plain = example(CHECKOUT, "insurance_claims.pieces").plain


def test_most_rows_of_the_careless_annotator_hold_mistakes_and_spans_stay_sound() -> None:
    dice, changed, rows = Dice(3), 0, [one for one in generate(300) if one.text.strip()]
    for one in rows:
        labels = careless(one.text, one.true_values, one.true_entities, dice)
        changed += labels.values != one.true_values or tuple(labels.entities) != one.true_entities
        assert {entity.label for entity in labels.entities} <= set(labels.values)
        assert all(entity.start < entity.end for entity in labels.entities)
        assert [entity.start for entity in labels.entities] == sorted(entity.start for entity in labels.entities)
    assert 0.85 * len(rows) < changed < (1 - SPARED_SHARE / 3) * len(rows)


def test_what_was_said_stays_as_it_was() -> None:
    values, entities = {"claimant_name": "Ann Lee", "police_notified": True}, [Entity(0, 7, "claimant_name")]
    seen = []
    for seed in range(60):
        labels = careless("Ann Lee told the police", values, entities, Dice(seed))
        seen.append((dict(labels.values), tuple(labels.entities)))
    assert values == {"claimant_name": "Ann Lee", "police_notified": True}
    assert entities == [Entity(0, 7, "claimant_name")]
    cut = [found for found, _ in seen if found.get("claimant_name") in ("Ann", "Lee")]
    moved = [found for found, _ in seen if "driver_name" in found or "adjuster_name" in found]
    flipped = [found for found, _ in seen if found.get("police_notified") is False]
    missed = [found for found, _ in seen if len(found) < 2]
    assert cut and moved and flipped and missed


def test_a_value_follows_its_span() -> None:
    for one in generate(200):
        for entity in one.entities:
            if entity.label.endswith("_name"):
                surfaces = [plain(one.text[e.start : e.end]) for e in one.entities if e.label == entity.label]
                assert str(one.values[entity.label]).casefold() in (surface.casefold() for surface in surfaces)


def test_the_same_claims_come_out_again() -> None:
    one, other = generate(120), generate(120)
    assert [claim.text for claim in one] == [claim.text for claim in other]
    assert [claim.wrong_fields for claim in one] == [claim.wrong_fields for claim in other]
