"""What other tests lean on: that the pretended model is as good as it is told to be, and no better."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from doubles import endpoint as program
from doubles.prompts import question, shown
from doubles.skill import Skilled

from services.endpoint.helpers import ask
from tailtune.config.prompting import LanguageModelSpec
from tailtune.services.endpoint import Endpoint

LABELS = ("refund", "invoice", "login", "bug")
TRUTH = {f"text number {i} of many": {"label": LABELS[i % 4]} for i in range(400)}
CLAIMS = {f"claim {i} about a car": {"name": f"N{i}", "city": f"C{i % 7}", "note": None} for i in range(300)}


def prompt(text: str, *examples: tuple[str, object]) -> list[dict[str, Any]]:
    blocks = [f"Text:\n{one}\nAnswer:\n{json.dumps(answer)}\n\n" for one, answer in examples]
    return [{"role": "system", "content": "Label."}, {"role": "user", "content": "".join(blocks) + f"Text:\n{text}"}]


def right(skill: Skilled, model: str = "small", evidence: bool = False, n: int = 0) -> set[str]:
    """The texts that it gets right."""
    found = set()
    for text, true in TRUTH.items():
        examples = [("some other text", true)] if evidence else [("some other text", {"label": "none of them"})]
        if json.loads(skill(model, prompt(text, *examples), None, n)) == true:
            found.add(text)
    return found


def test_the_text_under_question_is_the_last() -> None:
    messages = prompt("is this\nthe one?", ("not this", {"label": "a"}), ("nor this", {"label": "b"}))
    assert question(messages) == "is this\nthe one?"
    assert [(one.text, one.answer) for one in shown(messages)] == [
        ("not this", '{"label": "a"}'),
        ("nor this", '{"label": "b"}'),
    ]
    assert question([{"role": "user", "content": "bare"}]) == "bare"
    assert question([{"role": "user", "content": "Text:\nasked\n\nAnswer:\n"}]) == "asked"


def test_examples_may_be_turns() -> None:
    turns = [("user", "Text:\na"), ("assistant", '{"label": "x"}'), ("user", "Text:\nb")]
    messages = [{"role": role, "content": content} for role, content in turns]
    assert [(one.text, one.answer) for one in shown(messages)] == [("a", '{"label": "x"}')]


def test_it_is_as_good_as_its_share() -> None:
    skill = Skilled(TRUTH, base=0.6, strong=0.9, evidence=0.97)
    found = (right(skill), right(skill, "strong-1"), right(skill, evidence=True))
    shares = [len(texts) / len(TRUTH) for texts in found]
    assert shares == [pytest.approx(0.6, abs=0.08), pytest.approx(0.9, abs=0.05), pytest.approx(0.97, abs=0.03)]


def test_evidence_never_makes_a_right_answer_wrong_and_runs_repeat() -> None:
    skill = Skilled(TRUTH, base=0.6, evidence=0.9)
    assert right(skill) < right(skill, evidence=True)
    assert right(skill) == right(Skilled(TRUTH, base=0.6, evidence=0.9), n=3)


def test_what_wavers_answers_otherwise_the_next_time() -> None:
    skill = Skilled(TRUTH, base=0.6, wavers=0.5)
    assert 30 < len(right(skill, n=0) ^ right(skill, n=1)) < 170


def test_classes_that_are_mixed_up_stay_so_whatever_it_sees() -> None:
    skill = Skilled(TRUTH, base=1.0, evidence=1.0, strong=1.0, ambiguous=[("refund", "invoice")])
    for model, evidence in (("small", False), ("small", True), ("strong", True)):
        found = right(skill, model, evidence)
        wrong = {TRUTH[text]["label"] for text in TRUTH if text not in found}
        assert wrong == {"refund", "invoice"}
        assert 0.35 < len(TRUTH.keys() - found) / 200 < 0.65


def test_fields_of_an_object_are_right_or_wrong_by_themselves() -> None:
    skill = Skilled(CLAIMS, base=0.5)
    lines = [json.loads(skill("small", prompt(text), None, 0)) for text in CLAIMS]
    for name in ("name", "city"):
        share = sum(one[name] == true[name] for one, true in zip(lines, CLAIMS.values(), strict=True)) / len(CLAIMS)
        assert share == pytest.approx(0.5, abs=0.1)
    assert all(set(one) == {"name", "city", "note"} for one in lines)


def test_a_text_nearly_the_same_is_evidence_for_an_object() -> None:
    skill = Skilled(CLAIMS, base=0.0, evidence=1.0)
    other = {"name": "N999", "city": "C999", "note": None}
    near = skill("small", prompt("claim 5 about a car", ("claim 6 about a car", other)), None, 0)
    far = skill("small", prompt("claim 5 about a car", ("water in the cellar", other)), None, 0)
    assert json.loads(near) == CLAIMS["claim 5 about a car"]
    assert json.loads(far)["name"] != "N5"


def test_a_schema_makes_answers_valid_and_whole() -> None:
    skill = Skilled(TRUTH, base=1.0, invalid=1.0)
    schema: Mapping[str, Any] = {"properties": {"reasoning": {}, "label": {}, "more": {}}}
    answers: Sequence[Mapping[str, Any]] = prompt("text number 1 of many")
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(skill("small", answers, None, 0))
    text = json.loads(skill("small", answers, schema, 0))
    assert list(text) == ["reasoning", "label", "more"]
    assert text["label"] == "invoice"


def test_texts_that_were_cleaned_are_still_known() -> None:
    skill = Skilled({"Refund 4111 1111 please, at once": {"label": "refund"}, "hello": {"label": "bug"}}, base=1.0)
    assert json.loads(skill("small", prompt("Refund [CARD] please,  at once"), None, 0)) == {"label": "refund"}


def test_a_person_can_start_it(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text('{"said": "charged twice", "kind": "billing"}\n', encoding="utf-8")
    options = ["--port", "0", "--truth", str(truth), "--text", "said", "--label", "kind", "--base", "1"]
    command = [sys.executable, program.__file__, *options]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        url = re.search(r"1 texts known; endpoint: (\S+)", running.stdout.readline())
        assert url is not None
        model = Endpoint(LanguageModelSpec(name="small", endpoint=url[1]))
        (reply,) = model.ask([ask("charged twice")])
        model.close()
    finally:
        running.terminate()
        running.communicate(timeout=10)
    assert reply.text == '{"label": "billing"}'
