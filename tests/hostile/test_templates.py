"""Prompts that loop, nest or multiply: refused in one line, soon and in little memory, whatever their text is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tailtune.core.errors import SpecError
from tailtune.predictors.prompted.templates import MessageSource, Template, render, rendered

MUCH = "makes more than 10,000,000 characters or 500,000 loop steps"
WIDE = "formats to a width of 1000 or more"
LARGE = "makes a number that is too large"
DEEP = "nested too deep"
UNSAFE = "SecurityError"


def repeated(step: str, start: str = "text") -> str:
    return "{% set n = namespace(a=" + start + ") %}{% for i in range(60) %}{% set n.a = " + step + " %}{% endfor %}"


TEMPLATES = {
    "loops in loops": ("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}", MUCH),
    "loops that write": ("{% for a in range(100000) %}{% for b in range(99) %}xxxxxxxxx{% endfor %}{% endfor %}", MUCH),
    "a recursive loop": ("{% for a in range(99999) recursive %}{{ loop(range(9999)) if loop.depth0 < 1 }}{% endfor %}",
                         MUCH),
    "a macro that doubles": ("{% macro a(n) %}{{ a(n - 1) ~ a(n - 1) if n }}{% endmacro %}{{ a(60) }}", MUCH),
    "a macro without an end": ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "RecursionError"),
    "a block in itself": ("{% block a %}{{ self.a() }}{% endblock %}", "RecursionError"),
    "a block that is set": ("{% set x %}{% for i in range(99999) %}" + "y" * 9999 + "{% endfor %}{% endset %}", MUCH),
    "a filtered block": ("{% filter upper %}{% for i in range(99999) %}" + "y" * 999 + "{% endfor %}{% endfilter %}",
                         MUCH),
    "~ that doubles": (repeated("n.a ~ n.a"), MUCH),
    "~ that doubles without a loop": ("{% set a = text %}" + "{% set a = a ~ a %}" * 60, MUCH),
    "+ that doubles": (repeated("n.a + n.a"), MUCH),
    "a block that doubles": ("{% set a = text %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 60, MUCH),
    "lists of lists": (repeated("[n.a, n.a]") + "{{ n.a }}", MUCH),
    "mappings of views": (repeated("dict(a=n.a.items(), b=n.a.items())", "{}") + "{{ n.a }}", MUCH),
    "numbers that square": (repeated("n.a * n.a", "10"), LARGE),
    "'a' * n": ("{{ 'a' * 10**9 }}", MUCH),
    "n * 'a', safe": ("{{ 10**9 * ('a' | safe) }}", MUCH),
    "a list * n": ("{{ ([text] * 10**9) | length }}", MUCH),
    "a power": ("{{ 9 ** 99999999 }}", LARGE),
    "%d": ("{{ '%1000000000d' % 1 }}", WIDE),
    "%*d": ("{{ '%*d' % (10**9, 1) }}", WIDE),
    "|format": ("{{ '%1000000000d' | format(1) }}", WIDE),
    "|format of many": ("{{ ('%s' * 10000) | format(*(['x' * 100] * 10000)) }}", MUCH),
    ".format": ("{{ '{:1000000000}'.format(1) }}", WIDE),
    ".format with a width from a value": ("{{ '{:{}}'.format(1, 10**9) }}", WIDE),
    ".format of many": ("{{ ('{0}' * 100000).format(text * 1000) }}", MUCH),
    ".format_map": ("{{ '{a:1000000000}'.format_map({'a': 1}) }}", WIDE),
    "|replace": ("{{ ('a' * 100000) | replace('', 'b' * 1000) }}", MUCH),
    ".replace": ("{{ ('a' * 100000).replace('a', 'b' * 1000) }}", MUCH),
    "|map('replace')": ("{{ range(100000) | map('string') | map('replace', '1', 'x' * 1000) | join }}", MUCH),
    "|join": ("{{ range(100000) | join('x' * 1000) }}", MUCH),
    ".join": ("{{ ('x' * 1000).join('y' * 100000) }}", MUCH),
    "|tojson": ("{{ [1] | tojson(indent=100000000) }}", MUCH),
    "|center": ("{{ 'a' | center(10**9) }}", MUCH),
    ".center": ("{{ 'a'.center(10**9) }}", MUCH),
    ".zfill, found by name": ("{{ (['a'] | map(attribute='zfill') | first)(10**9) }}", MUCH),
    ".expandtabs": ("{{ '\t'.expandtabs(10**9) }}", MUCH),
    "|indent": ("{{ text | indent(10**9, true) }}", MUCH),
    "|wordwrap": ("{{ ('a' * 200000) | wordwrap(1) }}", MUCH),
    "|batch": ("{{ [1] | batch(10**9, 'x') | list }}", MUCH),
    "|slice": ("{{ [1] | slice(10**9) | list }}", MUCH),
    "|sum of lists": ("{{ ([[1]] * 10000) | sum(start=[]) }}", "sums what are no numbers"),
    "|round": ("{{ 1.5 | round(10**9, 'ceil') }}", MUCH),
    "|striptags": ("{{ ('<!---->' * 100000) | striptags }}", MUCH),
    ".translate": ("{{ 'aaa'.translate({97: text}) }}", UNSAFE),
    ".to_bytes": ("{{ (1).to_bytes(10**9, 'big') }}", UNSAFE),
    ".encode": ("{{ 'a'.encode() }}", UNSAFE),
    "brackets in brackets": ("{{ " + "(" * 50_000 + "1" + ")" * 50_000 + " }}", DEEP),
    "a sum of 50,000 numbers": ("{{ 1" + "+1" * 20_000 + " }}", DEEP),
    "30 loops in each other": ("{% for a in [1] %}" * 30 + "{% endfor %}" * 30, DEEP),
    "5,000 conditions in each other": ("{% if 1 %}" * 5000 + "{% endif %}" * 5000, DEEP),
    "a number of 100,000 figures": ("{{ " + "9" * 100_000 + " }}", "a number that is too long"),
    "12,000 tags": ("{{ 1 }}x" * 12_000, "more than 20,000 names, values and tags"),
    "2 MB": ("x" * 2_000_000, "longer than 1,048,576 characters"),
}  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), TEMPLATES.values(), ids=TEMPLATES)
def test_a_template_beyond_bounds_is_refused(source: str, expected: str) -> None:
    began = time.process_time()
    faults = Template("x", "", "{{ text }}\n" + source).faults({}, "x.md")
    assert time.process_time() - began < 10
    message = "\n".join(map(str, faults))
    assert expected in message
    assert message.startswith("x.md:") and len(message) < 300 and "\n" not in message


def test_a_stored_template_that_was_never_checked_is_refused_with_its_line() -> None:
    for source, line in (("a\n{{ 'a' * 10**9 }}", 2), ("{{ " + "(" * 50_000, 1)):
        with pytest.raises(SpecError, match=f"prompt x:{line}  (makes more|nested too deep)"):
            render(Template("x", "", source), {}, [], "Words.")


def test_a_template_that_only_a_long_text_makes_large_is_refused_then() -> None:
    template = Template("x", "", "{{ text }}{{ text | replace('', text) }}")
    assert template.faults({}, "x.md") == []
    with pytest.raises(SpecError, match=f"x:1  {MUCH}"):
        rendered(MessageSource(template.user), {}, [], "a" * 100_000, "x")


def test_work_is_counted_for_each_message_anew() -> None:
    source = MessageSource("{% for a in range(20000) %}xxxxxxxxx{% endfor %}")
    assert {len(rendered(source, {}, [], "", "x")) for _ in range(30)} == {180_000}


PIECES = st.sampled_from(
    ["{{ ", " }}", "{% ", " %}", "{%- ", "for a in ", "endfor", "if ", "else", "endif", "set a = ", "endset",
     "macro m(a)", "endmacro", "m(a)", "text", "examples", "labels", "a",
     " ~ ", " | ", "join", "replace(a, text)", "list", "tojson",
     ".format(a)", "[0]", "[1:]", "['a', a]", "{'a': a}", "(a, 1)", " * ", " ** ", " % ", "9", "-1", "'%d'", "loop",
     ".index", " in ", " is ", "defined", "range(9)", "namespace(a=a)", "a.a", "batch(2)", "center(99)", "x", "\n",
     "#}", "{#", "call m(1)", "endcall", "block b", "endblock", "self.b()", "include 'x'", "loop(a)", "raw"]
)  # fmt: skip
STATEMENTS = st.lists(PIECES, max_size=4).map("".join)
SOURCES = st.lists(
    PIECES | STATEMENTS.map("{{{{ {} }}}}".format) | STATEMENTS.map("{{% {} %}}".format), max_size=12
).map("".join)  # fmt: skip


@given(source=SOURCES, text=st.text(max_size=20))
def test_any_template_is_a_message_or_faults(source: str, text: str) -> None:
    template = Template("x", "", source)
    faults = template.faults({"labels": LABELS[:3]}, "x.md")
    assert all(fault.where.startswith("x.md:") and len(str(fault)) < 400 for fault in faults)
    try:
        render(template, {"labels": LABELS[:3]}, [], text)
    except SpecError as error:
        assert len(str(error)) < 400


LABELS = [{"name": f"label {number}", "description": "what it is " * 9} for number in range(10_000)]
HARMLESS: dict[str, tuple[str, str]] = {
    "10,000 labels": ("{% for label in labels %}{{ label.name[-1] }}{% endfor %}", "0123456789" * 1000),
    "a text of a million characters": ("{{ text | trim | upper | length }}", "999998"),
    "a counter": ("{% set n = namespace(i=0) %}{% for a in 'abc' %}{% set n.i = n.i + 1 %}{% endfor %}{{ n.i }}", "3"),
    "a macro": ("{% macro a(x) %}<{{ x * 3 }}>{% endmacro %}{{ a('b') }}{{ a(2) }}", "<bbb><6>"),
    "a caller": ("{% macro a() %}({{ caller() }}){% endmacro %}{% call a() %}b{% endcall %}", "(b)"),
    "filters": ("{{ labels | map(attribute='name') | batch(2) | first | join('; ') }}", "label 0; label 1"),
    "loop variables": ("{% for a in 'abc' %}{{ loop.index ~ '/' ~ loop.length }} {% endfor %}", "1/3 2/3 3/3"),
    "a loop with a condition": ("{% for a in [1, 2, 3] if a != 2 %}{{ a }}{% else %}none{% endfor %}", "13"),
    "formats": ("{{ '%.2f|%5s' % (1, 'a') }} {{ '{:>4}'.format('b') }} {{ '%02d' | format(7) }}", "1.00|    a    b 07"),
    "JSON": ("{{ {'a': [1, 'é']} | tojson(indent=1) }}", '{\n "a": [\n  1,\n  "\\u00e9"\n ]\n}'),
    "a recursive loop": ("{% for a in [1, [2, 3]] recursive %}{{ a if a is number else loop(a) }}{% endfor %}", "123"),
    "a list as it is": ("{{ ['a', 1, none, (1, 2)] }}", "['a', 1, None, (1, 2)]"),
}


@pytest.mark.parametrize(("source", "expected"), HARMLESS.values(), ids=HARMLESS)
def test_a_template_within_bounds_is_written_as_ever(source: str, expected: str) -> None:
    variables: dict[str, Any] = {"labels": LABELS}
    assert rendered(MessageSource(source), variables, [], " text ." + "x" * 999_992 + "\n", "x") == expected
