from hypothesis import given
from hypothesis import strategies as st

from tailtune.training.loop import MICRO_TOKENS, epoch_batches, micro_batches, thinned

lengths = st.lists(st.integers(1, 512), min_size=1, max_size=300)


@given(lengths, st.integers(1, 64), st.integers(0, 5))
def test_every_row_once_in_batches_of_at_most_the_size(size: list[int], batch_rows: int, epoch: int) -> None:
    batches = epoch_batches(size, batch_rows, 17, epoch)
    assert sorted(row for batch in batches for row in batch) == list(range(len(size)))
    assert max(map(len, batches)) <= batch_rows
    assert len(batches) == len(epoch_batches(size, batch_rows, 17, epoch + 1))


def test_the_same_seed_and_epoch_repeat_and_others_differ() -> None:
    size = [3, 9, 4, 8] * 50
    first = epoch_batches(size, 8, 17, 0)
    assert first == epoch_batches(size, 8, 17, 0)
    assert first != epoch_batches(size, 8, 17, 1)
    assert first != epoch_batches(size, 8, 18, 0)


def test_rows_of_a_batch_are_of_similar_length() -> None:
    size = list(range(1, 101)) * 4
    padded = sum(len(batch) * max(size[row] for row in batch) for batch in epoch_batches(size, 16, 17, 0))
    assert padded < 1.1 * sum(size)


@given(
    st.lists(st.lists(st.integers(1, 999), min_size=2, max_size=40), max_size=20), st.floats(0, 1), st.integers(0, 9)
)
def test_thinned_rows_keep_both_ends_and_the_order(ids: list[list[int]], share: float, batch: int) -> None:
    thin = thinned(ids, share, 17, 0, batch)
    assert thin == thinned(ids, share, 17, 0, batch)
    for row, kept in zip(ids, thin, strict=True):
        assert (kept[0], kept[-1]) == (row[0], row[-1])
        rest = iter(row)
        assert all(token in rest for token in kept), "a subsequence"
        assert kept == row if len(row) < 6 or share == 0 else len(kept) <= len(row)


def test_about_the_asked_share_is_left_out_and_each_pass_differs() -> None:
    ids = [list(range(102))] * 100
    assert 0.08 < 1 - sum(map(len, thinned(ids, 0.1, 17, 0, 0))) / 10_200 < 0.12
    assert thinned(ids, 0.1, 17, 0, 0) != thinned(ids, 0.1, 17, 1, 0)
    assert thinned(ids, 0.1, 17, 0, 0) != thinned(ids, 0.1, 17, 0, 1)


@given(lengths)
def test_parts_rebuild_the_batch_within_the_budget(size: list[int]) -> None:
    batch = list(range(len(size)))
    parts = list(micro_batches(batch, size))
    assert [row for part in parts for row in part] == batch
    assert all(len(part) == 1 or len(part) * max(size) <= MICRO_TOKENS for part in parts)
