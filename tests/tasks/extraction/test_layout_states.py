from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertModel

from tailtune.predictors.bert import load_bert
from tailtune.predictors.torch_encoder import TorchStack
from tailtune.tasks.extraction.layout import TokenStates, batches
from tailtune.tasks.extraction.windows import Windows
from tasks.extraction.heads_of import plain_states, token_states

TEXTS = ["Ann Lee paid 5", "", "word " * 90, "refund?"]


def test_states_are_those_of_transformers(tiny_encoder: Path) -> None:
    states = plain_states(tiny_encoder)
    model = BertModel.from_pretrained(tiny_encoder, add_pooling_layer=False).eval()
    for words, found in token_states(states, [TEXTS[0], TEXTS[3]]):
        with torch.no_grad():
            expected = model(torch.tensor(words.ids)).last_hidden_state[0].numpy()
        assert found.shape == (1 + len(words.starts), states.width) == (1 + len(words.starts), 32)
        assert np.allclose(found[0], expected[0], atol=1e-5)
        assert np.allclose(found[1:], expected[words.column], atol=1e-5)


def test_a_text_alone_has_the_states_it_has_among_others(tiny_encoder: Path) -> None:
    states = plain_states(tiny_encoder)
    among = token_states(states, TEXTS)
    assert [len(found) for _, found in among] == [5, 1, 91, 3]
    for text, (_, found) in zip(TEXTS, among, strict=True):
        assert np.allclose(token_states(states, [text])[0][1], found, atol=1e-5)
    assert token_states(states, []) == []


def test_how_words_are_written_reaches_the_states(tiny_encoder: Path) -> None:
    bert, windows = load_bert(tiny_encoder, torch.float32), Windows(tiny_encoder, 32)
    table = torch.randn(8, 32, generator=torch.Generator().manual_seed(1))
    found, plain = TokenStates(TorchStack(bert, table), windows), TokenStates(TorchStack(bert), windows)
    lower, upper = windows(["ann"]), windows(["ANN"])
    with torch.inference_mode():
        assert np.array_equal(plain.of(lower)[0], plain.of(upper)[0])
        assert not np.allclose(found.of(lower)[0], found.of(upper)[0], atol=1e-2)


@pytest.mark.parametrize("batch_tokens", [1, 40, 10_000])
def test_batches_hold_every_row_once_and_keep_its_windows_together(tiny_encoder: Path, batch_tokens: int) -> None:
    rows = Windows(tiny_encoder, 16)(TEXTS * 3)
    found = list(batches(rows, batch_tokens))
    assert sorted(number for batch in found for number in batch) == list(range(len(rows)))
    for batch in found:
        assert len(batch) == 1 or sum(rows[number].tokens for number in batch) <= batch_tokens
