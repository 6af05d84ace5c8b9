from __future__ import annotations

import pytest

from services.endpoint.helpers import SCHEMA, ask
from tailtune.config.prompting import LanguageModelSpec
from tailtune.services.endpoint.dialect import FORMS, Dialect, form_note, response_format
from tailtune.services.endpoint.faults import Refusal

SPEC = LanguageModelSpec(name="small", endpoint="http://127.0.0.1:1/v1")
CONSTRAINED, FREE = ask("one", SCHEMA), ask("one")
NO_SCHEMA = Refusal(400, "'response_format' is not supported")


def test_it_descends_a_form_at_a_time_and_then_gives_up() -> None:
    dialect, seen = Dialect(SPEC), []
    while True:
        seen.append(dialect.form)
        if not dialect.adapt(CONSTRAINED, dialect.arguments(CONSTRAINED), NO_SCHEMA):
            break
    assert tuple(seen) == FORMS
    assert set(dialect.refused) == {"json_schema", "json_object"}


def test_what_others_have_learnt_is_not_given_up_again() -> None:
    dialect = Dialect(SPEC)
    sent = dialect.arguments(CONSTRAINED)
    assert dialect.adapt(CONSTRAINED, sent, NO_SCHEMA)
    assert dialect.adapt(CONSTRAINED, sent, NO_SCHEMA), "it was sent before, so asking again is of use"
    assert dialect.form == "json_object"


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(429, "response_format busy"),
        Refusal(400, "something else entirely"),
        Refusal(401, "response_format needs a key"),
    ],
    ids=lambda refusal: refusal.text,
)  # fmt: skip
def test_other_refusals_change_nothing(refusal: Refusal) -> None:
    dialect = Dialect(SPEC)
    before = dialect.arguments(CONSTRAINED)
    assert not dialect.adapt(CONSTRAINED, before, refusal)
    assert dialect.arguments(CONSTRAINED) == before


def test_a_request_without_a_schema_gives_no_form_up() -> None:
    dialect = Dialect(SPEC)
    assert not dialect.adapt(FREE, dialect.arguments(FREE), NO_SCHEMA)
    assert dialect.form == "json_schema"


def test_the_limit_has_a_newer_name_and_temperature_may_be_fixed() -> None:
    dialect = Dialect(SPEC)
    newer = Refusal(400, "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.")
    fixed = Refusal(400, "'temperature' does not support 0 with this model. Only the default (1) value is supported.")
    assert dialect.adapt(FREE, dialect.arguments(FREE), newer)
    assert dialect.arguments(FREE) == {"max_completion_tokens": 512, "temperature": 0.0}
    assert dialect.adapt(FREE, dialect.arguments(FREE), fixed)
    assert dialect.arguments(FREE) == {"max_completion_tokens": 512}
    assert "temperature" in dialect.note()
    assert not dialect.adapt(FREE, dialect.arguments(FREE), newer)


def test_forms_on_the_wire() -> None:
    assert response_format("json_schema", None) is None
    assert response_format("none", SCHEMA) is None
    assert response_format("json_object", SCHEMA) == {"type": "json_object"}


def test_a_note_names_what_was_refused_and_what_was_done() -> None:
    assert form_note("json_schema", "json_schema") == ""
    assert form_note("json_schema", "json_object") == "the server refuses json_schema; json_object was used instead"
    assert "json_schema, json_object; nothing constrains" in form_note("json_schema", "none", "no")
    assert form_note("json_object", "none").startswith("the server refuses json_object; nothing")
