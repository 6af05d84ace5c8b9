"""Scores of one text without torch against the scores that heads learn with."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from tailtune.tasks.extraction.heads import pack, score
from tailtune.tasks.extraction.layout import Layout, score_text
from tailtune.tasks.extraction.schema import ObjectSchema
from tasks.extraction.heads_of import SCHEMA, plain_states, random_heads, token_states

TEXTS = ["Ann Lee paid 5", "", "word " * 90, "refund?"]
SCHEMAS = {
    "all kinds of fields": SCHEMA,
    "chosen fields": ObjectSchema(SCHEMA.document, SCHEMA.classified),
    "fields in the text": ObjectSchema(SCHEMA.document, SCHEMA.spanned),
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_scores_of_a_text_are_those_of_a_batch_in_training(tiny_encoder: Path, schema: ObjectSchema) -> None:
    layout, heads = Layout.of(schema), random_heads(schema)
    encoded = token_states(plain_states(tiny_encoder), TEXTS)
    batch = pad_sequence([torch.from_numpy(states) for _, states in encoded], batch_first=True)
    rows = [words for words, _ in encoded]
    expected = score(heads, layout, batch, pack(rows).present).of_texts(rows)
    arrays = {name: head.numpy() for name, head in heads.items()}
    for (words, states), theirs in zip(encoded, expected, strict=True):
        ours = score_text(arrays, layout, words, states)
        assert (ours.tags is None) == (theirs.tags is None)
        if ours.tags is not None and theirs.tags is not None:
            assert ours.tags.shape == theirs.tags.shape
            assert np.allclose(ours.tags, theirs.tags, atol=1e-4)
        assert [logits.shape for logits in ours.classes] == [logits.shape for logits in theirs.classes]
        for logits, other in zip(ours.classes, theirs.classes, strict=True):
            assert np.allclose(logits, other, atol=1e-4)
