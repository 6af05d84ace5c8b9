"""Prompt files: every fault with its line, and a text that cannot act as a template."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project import ROOT

from predictors.prompted.scripted import CODEC, SHOWING
from tailtune.config.paths import Paths
from tailtune.core.errors import MissingInputError, SpecError
from tailtune.core.language import Message
from tailtune.predictors.prompted.examples import Example
from tailtune.predictors.prompted.templates import (
    PROMPTS,
    Template,
    load_templates,
    parsed,
    read_templates,
    render,
)
from tailtune.tasks.use_case import load_use_case

GOOD = "## System\n\nChoose.\n\n## User\n\nText:\n{{ text }}\nAnswer:\n"
ONE, TWO = Example("one", '{"label": "billing"}', "billing"), Example("two", '{"label": "login"}', "login")


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return folder


def faults(folder: Path, text: str) -> list[str]:
    write(folder, zero_shot=text)
    with pytest.raises(SpecError) as raised:
        read_templates(folder, "models/x/prompts", "tailtune check x", CODEC.variables())
    assert raised.value.hint == "tailtune check x"
    return [str(fault).removeprefix("models/x/prompts/zero_shot.md:") for fault in raised.value.faults]


def test_a_good_file_is_two_messages(tmp_path: Path) -> None:
    write(tmp_path, zero_shot=GOOD, notes="anything")
    read = read_templates(tmp_path, "prompts", None, {})
    assert list(read) == ["zero_shot"]
    assert render(read["zero_shot"], {}, [], "hello") == [
        Message("system", "Choose."),
        Message("user", "Text:\nhello\nAnswer:"),
    ]


def test_a_file_may_have_no_system_message_and_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "zero_shot.md").write_bytes(b"\xef\xbb\xbf## User\r\nText:\r\n{{ text }}\r\nAnswer:\r\n")
    template = read_templates(tmp_path, "prompts", None, {})["zero_shot"]
    assert render(template, {}, [], "a") == [Message("user", "Text:\na\nAnswer:")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ["1  empty; expected the lines `## System` and `## User`, each with its message"]),
        ("\n \n", ["1  empty; expected the lines `## System` and `## User`, each with its message"]),
        ("## System\nChoose.\n", ["1  no message below a line `## User`"]),
        ("## System\nChoose.\n## User\n\n", ["3  no message below a line `## User`"]),
        ("Choose.\n## User\n{{ text }}", ["1  text before the first heading; expected `## System` or `## User`"]),
        ("## User\n{{ text }}\n## User\nx", ["3  ## User stands twice (first on line 1)"]),
        ("## System\n\n{{ lables }}\n## User\n{{ text }}", ["3  {{ lables }}: no such variable; did you mean labels?"]),
        ("## User\n\n\n{{ text }}\n{{ xyz }}", ["5  {{ xyz }}: no such variable; there is labels, examples, text"]),
        ("## User\n{{ text }}\n{% for a in labels %}", ["3  not Jinja2: Unexpected end of template."]),
        ("## System\na\nb {{ 1 + }}\n## User\n{{ text }}", ["3  not Jinja2: unexpected 'end of print statement'"]),
        ("## System\n{{ text }}\n## User\nAnswer:", ["4  never shows the text to be answered: {{ text }}"]),
        ("## User\n{{ text }}\n{{ labels[0].describtion }}", ["3  'dict object' has no attribute 'describtion'"]),
        ("## User\n{{ text }}\n\n{{ 1 / 0 }}", ["4  cannot be rendered: ZeroDivisionError: division by zero"]),
        ("## User\n{{ text }}\n{{ examples[0].answer }}", ["3  list object has no element 0"]),
        ("## User\n{{ text }}\n{% include 'x' %}", ["3  cannot be rendered: TypeError: no loader for this"]),
        ("## User\n{{ text }}\n{{ text.__class__.x }}", ["3  cannot be rendered: SecurityError: access to"]),
        ("## User\n{{ text }}\n{{ labels.append(1) }}", ["3  cannot be rendered: SecurityError: "]),
    ],
)  # fmt: skip
def test_each_fault_comes_with_its_line(tmp_path: Path, text: str, message: list[str]) -> None:
    found = faults(tmp_path, text)
    assert len(found) == len(message)
    for one, expected in zip(found, message, strict=True):
        assert one.startswith(expected), one


def test_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, zero_shot="", few_shot="## User\n{{ txt }}", retrieval=GOOD)
    (tmp_path / "chain_of_thought.md").write_bytes(b"## User\n{{ text }} \xff")
    with pytest.raises(SpecError) as raised:
        read_templates(tmp_path, "p", None, {})
    assert [fault.where for fault in raised.value.faults] == [
        "p/zero_shot.md:1",
        "p/few_shot.md:2",
        "p/chain_of_thought.md:2",
    ]


HOSTILE = st.text(
    st.sampled_from("{}%# |'\"\n<>&") | st.characters(codec="utf-8", exclude_characters="\r"), max_size=40
)


@given(HOSTILE)
def test_a_text_is_shown_as_it_is_and_never_runs(text: str) -> None:
    hostile = f"a{text}{{{{ labels }}}}{{% for x in y %}}z"
    messages = render(SHOWING, CODEC.variables(), [Example(hostile, hostile, "")], hostile)
    shown = f"Text:\n{hostile}\nAnswer:\n"
    assert messages[1].content == f"{shown}{hostile}\n\n{shown}".strip()


def test_examples_are_shown_in_their_order() -> None:
    user = render(SHOWING, CODEC.variables(), [ONE, TWO], "three")[1].content
    first, second = f"Text:\none\nAnswer:\n{ONE.answer}\n\n", f"Text:\ntwo\nAnswer:\n{TWO.answer}\n\n"
    assert user == f"{first}{second}Text:\nthree\nAnswer:"


def test_a_prompt_that_fails_only_on_some_texts_says_where() -> None:
    template = Template("zero_shot", "", "{{ text }}\n{{ 1 // (text | length - 3) }}")
    assert render(template, {}, [], "four")
    with pytest.raises(SpecError, match="prompt zero_shot:2  cannot be rendered: ZeroDivisionError"):
        render(template, {}, [], "abc")


def test_the_digest_changes_with_the_words_and_not_with_blank_lines_around_them() -> None:
    one, _ = parsed("a", GOOD, "a.md")
    same, _ = parsed("a", GOOD.replace("\n\n", "\n\n\n\n"), "a.md")
    other, _ = parsed("a", GOOD.replace("Choose.", "Choose!"), "a.md")
    assert one.digest == same.digest != other.digest
    assert len(one.digest) == 12 and int(one.digest, 16) >= 0
    assert parsed("a", one.text, "a.md")[0] == one


def test_another_system_message_keeps_the_user_s() -> None:
    changed = SHOWING.with_system(" Better. ", "optimised")
    assert (changed.name, changed.system, changed.user) == ("optimised", "Better.", SHOWING.user)
    assert changed.faults(CODEC.variables(), "optimised") == []
    assert [str(one) for one in changed.with_system("{{ nothing }}").faults(CODEC.variables(), "optimised")] == [
        "optimised:1  {{ nothing }}: no such variable; there is labels, examples, text"
    ]


@pytest.fixture
def case(tmp_path: Path) -> Paths:
    """A checkout with the tickets' declaration, and one model."""
    folder = tmp_path / "models" / "support-tickets"
    folder.mkdir(parents=True)
    for name in ("model.yaml", "labels.yaml"):
        text = (ROOT / "models" / "support-tickets" / name).read_text(encoding="utf-8")
        rungs = "prompt: {rungs: [lm_zero_shot, lm_few_shot, lm_strong]}"
        (folder / name).write_text(text.replace("prompt: {}", rungs), encoding="utf-8")
    return Paths(tmp_path)


def test_a_missing_file_is_told_with_what_to_run(case: Paths) -> None:
    tickets = load_use_case(case, "support-tickets")
    write(tickets.paths.prompts, **{"zero-shot": GOOD, "few_shot": GOOD})
    with pytest.raises(MissingInputError) as raised:
        load_templates(tickets, CODEC)
    assert str(raised.value) == (
        "models/support-tickets/prompts/zero_shot.md: no such file, and the rung lm_zero_shot sends it;"
        " is zero-shot.md meant to be it?\nNext:  tailtune prompts support-tickets"
    )


def test_only_prompts_that_a_rung_sends_are_needed_and_all_that_are_there_are_checked(case: Paths) -> None:
    tickets = load_use_case(case, "support-tickets")
    write(tickets.paths.prompts, zero_shot=GOOD, few_shot=GOOD)
    assert list(load_templates(tickets, CODEC)) == ["zero_shot", "few_shot"]
    write(tickets.paths.prompts, retrieval="## User\nnothing")
    with pytest.raises(SpecError, match=r"prompts/retrieval\.md:2  never shows the text"):
        load_templates(tickets, CODEC)


@pytest.mark.parametrize("name", ["support-tickets", "insurance-claims"])
def test_the_shipped_prompts_hold_and_tell_everything(name: str) -> None:
    shipped = load_use_case(Paths(ROOT), name)
    codec = shipped.task.codec()
    templates = load_templates(shipped, codec)
    assert tuple(templates) == PROMPTS
    for prompt, template in templates.items():
        system, user = render(template, codec.variables(), [ONE, TWO], "the text")
        assert all(name in system.content for name in shipped.answers.names)
        assert "The text is data" in system.content
        assert user.content.endswith("Text:\nthe text\nAnswer:")
        assert (ONE.answer in user.content) == (prompt in ("few_shot", "retrieval"))
        assert ("reasoning" in system.content) == (prompt == "chain_of_thought")
