"""Rules of diagnosis, one case each; their order; and that no failure vanishes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.evidence import prompted
from tailtune.judge.diagnose import (
    FAULTS,
    Failure,
    Places,
    Reason,
    Shown,
    WrongPart,
    classes,
    explain,
    mixed_up,
    no_better,
    remedy,
)

PLACES = Places(
    use_case="toy",
    prompt="models/toy/prompts/few_shot.md",
    model_yaml="models/toy/model.yaml",
    answers="models/toy/labels.yaml",
    data="data/toy",
    failures="build/toy/diagnose/failures.jsonl",
    strong="big",
    lines={"refund": 3, "fee": 7},
)
WRONG = WrongPart(
    "", "refund", "fee", strong="login", strong_right=False, local="card", evidence=True, pair=("refund", "fee")
)


def failed(*parts: WrongPart, number: int = 1) -> Failure:
    return Failure(f"id{number}", f"rows.jsonl:{number}", "some text", parts)


def reason(part: WrongPart, shown: Shown = "fixed", strong: bool = True) -> Reason:
    return explain([failed(part)], shown, strong)[0]


CASES: dict[Reason, WrongPart] = {
    "label suspect": replace(WRONG, strong="fee", suspect=True),
    "model too weak": replace(WRONG, strong="refund", strong_right=True),
    "answer not usable": replace(WRONG, answered=None, pair=None),
    "wrong format": replace(WRONG, malformed=True),
    "no example": replace(WRONG, evidence=False),
    "not asked again": replace(WRONG, strong=None, strong_right=None),
    "unexplained": WRONG,
}


@pytest.mark.parametrize("expected", CASES)
def test_each_rule_speaks(expected: Reason) -> None:
    assert reason(CASES[expected]) == expected


def test_retrieval_is_blamed_only_where_there_is_one() -> None:
    unseen = replace(WRONG, evidence=False)
    assert reason(unseen, "retrieved") == "retrieval missed"
    assert reason(unseen, "fixed") == reason(unseen, "none") == "no example"
    assert reason(replace(WRONG, evidence=None), "retrieved") == "unexplained"


@pytest.mark.parametrize(
    ("part", "suspect"),
    [
        (replace(WRONG, strong="fee", suspect=True), True),  # unlikely, and both models agree on another
        (replace(WRONG, strong="fee"), False),  # both agree, but nobody calls the label unlikely
        (replace(WRONG, suspect=True), False),  # unlikely, but the two disagree
        (replace(WRONG, strong="card"), True),  # stronger model and local rung against the label
        (replace(WRONG, strong="refund", strong_right=True, local="refund", suspect=True), False),  # both are for it
        (replace(WRONG, strong=None, strong_right=None, local="fee", suspect=True), True),  # nobody stronger to ask
        (replace(WRONG, strong=None, strong_right=None, local="fee"), False),
        (replace(WRONG, strong=None, strong_right=None, suspect=True), False),
        (replace(WRONG, answered=None, strong=None, local=None, suspect=True), False),  # silence is no agreement
    ],
)
def test_a_label_needs_two_witnesses_against_it(part: WrongPart, suspect: bool) -> None:
    assert (reason(part) == "label suspect") is suspect


def test_instructions_are_blamed_from_the_second_time() -> None:
    """In either direction: who takes fees for refunds and refunds for fees cannot tell the two apart."""
    alike = replace(WRONG, strong="fee")
    back = replace(alike, expected="fee", answered="refund", strong="refund", pair=("fee", "refund"))
    assert explain([failed(alike)], "fixed", True) == ["unexplained"]
    assert explain([failed(alike), failed(back, number=2)], "fixed", True) == ["ambiguous instructions"] * 2
    apart = replace(WRONG, strong="login")
    assert explain([failed(alike), failed(apart, number=2)], "fixed", True) == ["ambiguous instructions", "unexplained"]


def test_a_pair_in_two_fields_of_one_row_is_one_row() -> None:
    part = WrongPart("city", '"a"', '"b"', strong='"b"', strong_right=False, evidence=True, pair=("city", "town"))
    assert explain([failed(part, replace(part, name="town"))], "fixed", True) == ["unexplained"]


@pytest.mark.parametrize(
    ("part", "shown", "expected"),
    [
        # Every rule that could speak does; the earliest is the answer.
        (replace(WRONG, strong="card", suspect=True, malformed=True, evidence=False), "retrieved", "label suspect"),
        (replace(CASES["model too weak"], answered=None, evidence=False), "retrieved", "model too weak"),
        (replace(CASES["answer not usable"], evidence=False), "retrieved", "answer not usable"),
        (replace(CASES["wrong format"], evidence=False), "retrieved", "wrong format"),
        (replace(CASES["not asked again"], answered=None, evidence=False), "none", "not asked again"),
    ],
)
def test_the_order_of_rules(part: WrongPart, shown: Shown, expected: Reason) -> None:
    assert reason(part, shown) == expected


def test_misleading_examples_come_before_ambiguity_and_ambiguity_before_missing_ones() -> None:
    twice = [failed(replace(WRONG, strong="fee", evidence=False), number=number) for number in (1, 2)]
    assert explain(twice, "retrieved", True) == ["retrieval missed"] * 2
    assert explain(twice, "fixed", True) == ["ambiguous instructions"] * 2


def test_without_a_stronger_model_the_context_is_still_looked_at() -> None:
    alone = replace(WRONG, strong=None, strong_right=None, evidence=False)
    assert reason(alone, "retrieved", strong=False) == "retrieval missed"
    assert reason(replace(alone, evidence=True), "retrieved", strong=False) == "unexplained"


def test_a_row_gets_the_reason_of_most_of_its_fields_and_of_equals_the_earlier() -> None:
    weak, unseen = (replace(CASES[name], name="field") for name in ("model too weak", "no example"))
    assert explain([failed(weak, unseen, unseen)], "fixed", True) == ["no example"]
    assert explain([failed(unseen, weak)], "fixed", True) == ["model too weak"]


ANSWERS = st.sampled_from(["refund", "fee", "card", None])
PARTS = st.builds(
    WrongPart,
    name=st.sampled_from(["", "city"]),
    expected=st.sampled_from(["refund", "fee"]),
    answered=ANSWERS,
    strong=ANSWERS,
    strong_right=st.sampled_from([True, False, None]),
    local=ANSWERS,
    suspect=st.booleans(),
    evidence=st.sampled_from([True, False, None]),
    malformed=st.booleans(),
    pair=st.sampled_from([None, ("refund", "fee"), ("fee", "refund"), ("city", "city")]),
)
FAILURES = st.lists(st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: failed(*parts)), max_size=25)


@given(FAILURES, st.sampled_from(["none", "fixed", "retrieved"]), st.booleans())
def test_nothing_vanishes(failures: list[Failure], shown: Shown, strong: bool) -> None:
    reasons = explain(failures, shown, strong)
    found = classes(failures, reasons, PLACES)
    assert sum(one.rows for one in found) == len(failures) == len(reasons)
    assert len({one.reason for one in found}) == len(found)
    assert [one.rows for one in found] == sorted((one.rows for one in found), reverse=True)
    for one in found:
        assert one.fault == FAULTS[one.reason]  # type: ignore[index]
        assert one.share.value == pytest.approx(one.rows / len(failures))
        assert one.share.low < one.share.value or one.share.value == 0
        assert one.action and len(one.examples) == min(5, one.rows)


@given(FAILURES)
def test_pairs_are_counted_once_a_row_whatever_their_direction(failures: list[Failure]) -> None:
    found = mixed_up(failures)
    assert all(one.first < one.second for one in found)
    rows = sum(any(set(part.pair or ()) == {"refund", "fee"} for part in failure.parts) for failure in failures)
    assert sum(one.rows for one in found if (one.first, one.second) == ("fee", "refund")) == rows


def action(name: Reason, *failures: Failure) -> str:
    return classes(failures, [name] * len(failures), PLACES)[0].action


def test_an_action_names_the_file_the_line_and_the_labels() -> None:
    both = action("ambiguous instructions", failed(replace(WRONG, strong="fee")))
    assert "models/toy/labels.yaml:7" in both
    assert "models/toy/labels.yaml:3" in both
    assert "`fee` from `refund`" in both
    assert "models/toy/prompts/few_shot.md" in action("no example", failed(WRONG))
    assert "`refund`" in action("retrieval missed", failed(WRONG))
    assert "big" in action("model too weak", failed(WRONG))
    assert "tailtune run toy" in action("label suspect", failed(WRONG))
    assert "tailtune diagnose toy" in action("not asked again", failed(WRONG))
    assert len({action(name, failed(WRONG)) for name in FAULTS}) == len(FAULTS)


def test_an_example_reads_as_expected_and_answered() -> None:
    (found,) = classes([failed(WRONG)], ["unexplained"], PLACES)
    (example,) = found.examples
    assert (example.expected, example.answered, example.strong_answered) == ("refund", "fee", "login")
    assert (example.origin, example.text, example.detail) == ("rows.jsonl:1", "some text", "")


def test_an_example_of_fields_shows_each_wrong_one() -> None:
    parts = (
        WrongPart("city", '"Bonn"', "null", strong='"Bonn"', strong_right=True),
        WrongPart("day", "null", '"Monday"'),
    )
    (found,) = classes([failed(*parts)], ["model too weak"], PLACES)
    (example,) = found.examples
    assert example.detail == 'city: "Bonn" → null; day: null → "Monday"'
    assert example.expected == 'city: "Bonn", day: null'


def test_a_long_text_is_cut() -> None:
    long = Failure("id", "rows.jsonl:1", "x" * 5000, (WRONG,))
    (found,) = classes([long], ["unexplained"], PLACES)
    assert len(found.examples[0].text) < 700
    assert found.examples[0].text.endswith(" …")


def test_no_failure_no_class() -> None:
    assert explain([], "fixed", True) == []
    assert classes([], [], PLACES) == ()
    assert mixed_up([]) == ()


TOY_PLACES = Places("toy", "p.md", "model.yaml", "labels.yaml", "data/toy", "failures.jsonl", lines={"a": 4})


def test_every_reason_has_a_remedy_that_names_a_file_or_a_command() -> None:
    assert FAULTS
    for reason in FAULTS:
        text = remedy(reason, [("a", "b")], ["a"], TOY_PLACES)
        assert any(place in text for place in ("p.md", "model.yaml", "labels.yaml", "data/toy", "stronger", "tailtune"))
    with pytest.raises(KeyError):
        remedy("bad luck", [], [], TOY_PLACES)


def test_a_line_that_is_not_known_is_not_made_up() -> None:
    text = remedy("ambiguous instructions", [("a", "b")], [], TOY_PLACES)
    assert "labels.yaml:4 and labels.yaml)" in text


def test_a_choice_is_found_at_its_fields_line() -> None:
    assert TOY_PLACES.line('a: "x"') == "labels.yaml:4"


def test_many_labels_are_counted_and_not_listed() -> None:
    text = remedy("retrieval missed", [], [f"label {n}" for n in range(10)], TOY_PLACES)
    assert "`label 2` and 7 more" in text
    assert "label 3" not in text


ALL_TRIED = {
    "lm_zero_shot": "62.0 % against 62.0 %",
    "lm_few_shot": "60.0 % against 62.0 %",
    "lm_retrieval": "61.0 % against 62.0 %",
    "lm_constrained": "62.0 % against 62.0 %",
    "lm_strong": "62.3 % against 62.0 %",
}
ADVICE = {"lm_strong": "use large", "lm_constrained": "lm_constrained", "lm_few_shot": "measure the rung lm_few_shot",
          "lm_retrieval": "measure the rung lm_retrieval"}  # fmt: skip
ABOUT = {"lm_strong": "model too weak", "lm_constrained": "answer not usable", "lm_few_shot": "no example",
         "lm_retrieval": "no example"}  # fmt: skip


@pytest.mark.parametrize("rung", ABOUT)
def test_what_was_measured_and_is_no_better_is_not_advised(rung: str) -> None:
    places = replace(TOY_PLACES, strong="large", shows_examples=False)
    assert ADVICE[rung] in remedy(ABOUT[rung], [], ["a"], places)
    one = replace(places, tried={rung: ALL_TRIED[rung]})
    assert ADVICE[rung] not in remedy(ABOUT[rung], [], ["a"], one)
    everything = replace(places, tried=ALL_TRIED)
    for reason in FAULTS:
        text = remedy(reason, [("a", "b")], ["a"], everything)
        assert text and not any(advice in text for advice in ADVICE.values()), (reason, text)


def test_what_failed_is_told_with_its_figures() -> None:
    places = replace(TOY_PLACES, strong="large", shows_examples=False, tried=ALL_TRIED)
    assert "no better (62.3 % against 62.0 %)" in remedy("model too weak", [], ["a"], places)
    shown = remedy("no example", [], ["a"], places)
    assert shown.startswith("describe `a` in labels.yaml") and "lm_retrieval 61.0 % against 62.0 %" in shown


def test_a_prompt_without_examples_is_not_told_to_show_more_of_them() -> None:
    assert "prompt.shots" in remedy("no example", [], ["a"], TOY_PLACES)
    assert "prompt.shots" not in remedy("no example", [], ["a"], replace(TOY_PLACES, shows_examples=False))


def test_a_rung_that_is_better_stays_advice() -> None:
    rungs = [
        prompted(name="lm_zero_shot", value=0.62),
        prompted(name="lm_strong", value=0.9),
        prompted(name="lm_cot", value=0.625),
    ]
    assert set(no_better(rungs[0], rungs, 0.01)) == {"lm_zero_shot", "lm_cot"}


def test_who_has_no_stronger_model_is_told_to_declare_one() -> None:
    assert "role strong" in remedy("unexplained", [], [], TOY_PLACES)
