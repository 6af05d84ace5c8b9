from tailtune.predictors.bert import keep_freed_memory


def test_it_says_whether_it_took_effect_and_may_be_asked_twice() -> None:
    assert keep_freed_memory() in (True, False)
    assert keep_freed_memory() is keep_freed_memory()
