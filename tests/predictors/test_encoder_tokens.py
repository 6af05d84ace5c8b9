from hypothesis import given
from hypothesis import strategies as st

from tailtune.predictors.encoder import Tokens, by_length
from tailtune.predictors.reading import encoder_path

rows = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=40), max_size=60)


@given(rows, st.integers(1, 200))
def test_batches_hold_every_row_once_and_respect_the_budget(ids: list[list[int]], budget: int) -> None:
    batches = list(by_length(ids, budget))
    assert sorted(row for batch in batches for row in batch) == list(range(len(ids)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(ids[row]) for row in batch) <= budget


def test_texts_are_cut_never_padded_and_alone_as_in_company() -> None:
    tokens = Tokens(encoder_path(), 8)
    short, long = tokens(["hello", "word " * 50])
    assert len(short) == 3 and len(long) == 8
    assert long[-1] == short[-1]  # [SEP] survives the cut
    assert tokens(["hello"]) == [short]
