import numpy as np
import pytest
import torch
from torch.nn import functional

from tailtune.tasks.extraction.heads import empty_heads, log_shares, loss, score
from tailtune.tasks.extraction.layout import NOWHERE, Layout
from tailtune.tasks.extraction.schema import ObjectSchema
from tasks.extraction.heads_of import SCHEMA, random_heads

LAYOUT = Layout.of(SCHEMA)


def test_the_layout_follows_the_schema() -> None:
    assert LAYOUT.tags.names == ("name", "amount", "items") and LAYOUT.tags.size == 7
    assert LAYOUT.fields == ("peril", "police")
    assert LAYOUT.classes == (("fire", "water", None), (False, True))
    shapes = {name: tuple(tensor.shape) for name, tensor in empty_heads(LAYOUT, 4, 8, "cpu").items()}
    assert shapes == {
        "kind.weight": (8, 4),
        "tag.weight": (7, 4),
        "tag.bias": (7,),
        "field.query": (2, 4),
        "field.weight": (5, 4),
        "field.bias": (5,),
    }
    assert all(tensor.requires_grad for tensor in empty_heads(LAYOUT, 4, 8, "cpu").values())


def test_sorts_of_fields_that_a_schema_lacks_have_no_tensors() -> None:
    chosen = Layout.of(ObjectSchema(SCHEMA.document, SCHEMA.classified))
    spanned = Layout.of(ObjectSchema(SCHEMA.document, SCHEMA.spanned))
    assert set(empty_heads(chosen, 4, 0, "cpu")) == {"field.query", "field.weight", "field.bias"}
    assert set(empty_heads(spanned, 4, 0, "cpu")) == {"tag.weight", "tag.bias"}
    states, present = torch.randn(2, 5, 32), torch.ones(2, 5, dtype=torch.bool)
    assert score(random_heads(), chosen, states, present).tags is None
    assert score(random_heads(), spanned, states, present).classes == ()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"peril": "water", "police": True}, [1, 1]),
        ({"peril": "fire", "police": False}, [0, 0]),
        ({}, [2, NOWHERE]),  # a missing yes / no that may not be null teaches nothing
        ({"peril": "hail", "police": None}, [NOWHERE, NOWHERE]),
    ],
)
def test_targets(values: dict, expected: list[int]) -> None:
    assert LAYOUT.targets(values) == expected


def test_scores_are_those_of_each_field_alone() -> None:
    heads, random = random_heads(), torch.Generator().manual_seed(1)
    states = torch.randn(3, 6, 32, generator=random)
    present = torch.arange(6)[None, :] < torch.tensor([6, 4, 1])[:, None]
    found = score(heads, LAYOUT, states, present)
    assert found.tags is not None
    assert torch.allclose(found.tags, functional.linear(states[:, 1:], heads["tag.weight"], heads["tag.bias"]))
    sizes = LAYOUT.sizes
    for row in range(3):
        own = states[row, present[row]]
        for at, (weight, bias) in enumerate(
            zip(heads["field.weight"].split(sizes), heads["field.bias"].split(sizes), strict=True)
        ):
            shares = (own @ heads["field.query"][at]).softmax(dim=0)
            expected = weight @ (shares @ own) + bias
            assert torch.allclose(found.classes[at][row], expected, atol=1e-5)


def test_padding_changes_nothing() -> None:
    heads, states = random_heads(), torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(2))
    alone = score(heads, LAYOUT, states, torch.ones(1, 4, dtype=torch.bool))
    padded = torch.cat([states, torch.full((1, 3, 32), 9.0)], dim=1)
    among = score(heads, LAYOUT, padded, torch.arange(7)[None, :] < 4)
    for one, other in zip(alone.classes, among.classes, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_the_loss_is_cross_entropy_where_there_is_a_target() -> None:
    heads = random_heads()
    states, present = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(3)), torch.ones(2, 4).bool()
    found = score(heads, LAYOUT, states, present)
    assert found.tags is not None
    tags = torch.tensor([[1, 2, 0], [5, NOWHERE, NOWHERE]])
    classes = torch.tensor([[2, NOWHERE], [0, 1]])
    words = torch.cat([found.tags[0], found.tags[1, :1]])
    expected = functional.cross_entropy(words, torch.tensor([1, 2, 0, 5]), reduction="sum") / 3
    expected += 0.3 * functional.cross_entropy(found.classes[0], torch.tensor([2, 0]), reduction="sum")
    expected += 0.3 * functional.cross_entropy(found.classes[1][1:], torch.tensor([1]))
    assert torch.allclose(loss(found, tags, classes, mean_words=3.0), expected, atol=1e-5)


def test_log_shares_never_say_never() -> None:
    shares = log_shares(np.array([7, 1, 0]))
    assert torch.allclose(shares.exp(), torch.tensor([8 / 11, 2 / 11, 1 / 11]))
