from tailtune.predictors.torch_encoder import pad


def test_padding_is_masked_and_absent_when_lengths_agree() -> None:
    stacked, mask = pad([[5, 6, 7], [8]])
    assert stacked.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask is not None
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    assert pad([[1, 2], [3, 4]])[1] is None
