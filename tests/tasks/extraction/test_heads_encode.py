from pathlib import Path

import pytest
import torch
from transformers import BertModel

from tailtune.predictors.bert import load_bert
from tailtune.tasks.extraction.heads import TokenStates, batches
from tailtune.tasks.extraction.windows import Windows, pack
from tasks.extraction.heads_of import plain_states, token_states

TEXTS = ["Ann Lee paid 5", "", "word " * 90, "refund?"]


def test_states_are_those_of_transformers(tiny_encoder: Path) -> None:
    states = plain_states(tiny_encoder)
    model = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False).eval()
    for words, found in token_states(states, [TEXTS[0], TEXTS[3]]):
        with torch.no_grad():
            expected = model(torch.tensor(words.ids)).last_hidden_state[0]
        assert found.shape == (1 + len(words.starts), states.width) == (1 + len(words.starts), 32)
        assert torch.allclose(found[0], expected[0], atol=1e-5)
        assert torch.allclose(found[1:], expected[torch.from_numpy(words.column)], atol=1e-5)


def test_a_text_alone_has_the_states_it_has_among_others(tiny_encoder: Path) -> None:
    states = plain_states(tiny_encoder)
    among = token_states(states, TEXTS)
    assert [len(found) for _, found in among] == [5, 1, 91, 3]
    for text, (_, found) in zip(TEXTS, among, strict=True):
        assert torch.allclose(token_states(states, [text])[0][1], found, atol=1e-5)
    assert token_states(states, []) == []


def test_how_words_are_written_reaches_the_states(tiny_encoder: Path) -> None:
    bert, windows = load_bert(tiny_encoder, torch.float32), Windows(tiny_encoder, 32)
    table = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    found, plain = TokenStates(bert, windows, {"kind.weight": table}), TokenStates(bert, windows)
    lower, upper = windows(["ann"]), windows(["ANN"])
    assert torch.equal(plain.of(pack(lower)), plain.of(pack(upper)))
    assert not torch.allclose(found.of(pack(lower)), found.of(pack(upper)), atol=1e-2)


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_batches_hold_every_row_once_and_keep_its_windows_together(tiny_encoder: Path, batch_tokens: int) -> None:
    rows = Windows(tiny_encoder, 16)(TEXTS * 3)
    found = list(batches(rows, batch_tokens))
    assert sorted(number for batch in found for number in batch) == list(range(len(rows)))
    for batch in found:
        assert len(batch) == 1 or sum(rows[number].tokens for number in batch) <= batch_tokens
