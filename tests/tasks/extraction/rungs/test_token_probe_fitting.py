"""Heads on a frozen, tiny encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tailtune.tasks.extraction.heads import empty_heads, pack, score
from tailtune.tasks.extraction.layout import KIND, NOWHERE, Layout
from tailtune.tasks.extraction.rungs import token_probe_fitting
from tailtune.tasks.extraction.rungs.token_probe import FrozenStates
from tailtune.tasks.extraction.rungs.token_probe_fitting import Item, Scale, fit_heads, items_of
from tasks.extraction.rungs.claims import ROWS, SCHEMA


@pytest.fixture(scope="module")
def states(tiny_encoder: Path) -> FrozenStates:
    return FrozenStates.frozen(tiny_encoder)


@pytest.fixture(scope="module")
def items(states: FrozenStates) -> list[Item]:
    rows = ROWS[:24]
    return items_of(Layout.of(SCHEMA), states, [row.text for row in rows], [row.label for row in rows])


def test_targets_are_tags_of_words_and_classes_of_fields(items: list[Item]) -> None:
    layout = Layout.of(SCHEMA)
    first = items[0]
    assert len(first.tags) == len(first.words.starts)
    assert int((first.tags % 2 == 1).sum()) == 5, "name, date, two items, amount"
    assert [classes[at] for classes, at in zip(layout.classes, first.classes.tolist(), strict=True)] == [
        *("fire", "mail", True)
    ]
    assert NOWHERE not in first.classes


def test_heads_learn_the_rows_they_are_given(states: FrozenStates, items: list[Item]) -> None:
    layout = Layout.of(SCHEMA)
    heads = fit_heads(layout, states, items, seed=1)
    rows = [item.words for item in items]
    with torch.inference_mode():
        encoded = pad_sequence([torch.from_numpy(of_row) for of_row in states.of(rows)], batch_first=True)
        scores = score(heads, layout, encoded, pack(rows).present)
    assert scores.tags is not None
    right = total = 0
    for at, item in enumerate(items):
        right += int((scores.tags[at, : len(item.tags)].argmax(dim=1) == item.tags).sum())
        total += len(item.tags)
    assert right / total > 0.95, "random states of width 32, and still nearly every word"
    kind = torch.stack([item.classes[1] for item in items])
    assert float((scores.classes[1].argmax(dim=1) == kind).float().mean()) > 0.9


def test_rows_are_taken_in_parts_that_fit_in_memory(items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_probe_fitting, "PART_WORDS", 100)
    parts = list(token_probe_fitting._parts(range(len(items)), items))
    assert [at for part in parts for at in part] == list(range(len(items)))
    assert len(parts) > 5
    assert all(len(part) == 1 or sum(1 + len(items[at].tags) for at in part) <= 101 for part in parts)


def test_several_parts_give_heads_too(states: FrozenStates, items: list[Item], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_probe_fitting, "PART_WORDS", 100)
    heads = fit_heads(Layout.of(SCHEMA), states, items[:9], seed=1)
    assert all(bool(torch.isfinite(head).all()) and not head.requires_grad for head in heads.values())


def test_heads_on_standardised_states_are_folded_to_heads_on_states() -> None:
    torch.manual_seed(0)
    layout = Layout.of(SCHEMA)
    states, present = 3 + 2 * torch.randn(2, 6, 16), torch.ones(2, 6, dtype=torch.bool)
    scale = Scale.of(list(states))
    heads = {name: torch.randn_like(head) for name, head in empty_heads(layout, 16, 1, "cpu").items() if name != KIND}
    learnt, folded = (
        score(heads, layout, scale(states), present),
        score(scale.folded(heads), layout, states, present),
    )
    assert learnt.tags is not None
    assert folded.tags is not None
    assert torch.allclose(learnt.tags, folded.tags, atol=1e-4)
    for one, other in zip(learnt.classes, folded.classes, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
