"""`tailtune check` tells every fault and changes nothing."""

from __future__ import annotations

import pytest

from cli.checkout import Cli, rows, tree, unreadable, write


def refused(cli: Cli, code: int = 1) -> str:
    before = tree(cli.paths.root)
    result = cli("check", "first")
    assert result.code == code
    assert tree(cli.paths.root) == before
    return result.err


def test_a_good_use_case_says_what_was_checked_and_changes_nothing(cli: Cli) -> None:
    everything = {path: path.stat().st_mtime_ns for path in cli.paths.root.rglob("*")}
    before = tree(cli.paths.root)
    result = cli("check", "first")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [
        "models/first/model.yaml   ok",
        "models/first/labels.yaml  ok, 3 labels",
        "models/first/prompts/     none; starting prompts are sent; to make them yours: tailtune prompts first",
        "data/first/rows.csv  ok, 12 rows, 3 labels",
        "models/first/labels.yaml  3 with fewer rows in rows.csv than validate.min_rows_per_class (8): "
        "billing, login, refund",
        "Next:  tailtune run first",
    ]
    assert tree(cli.paths.root) == before
    assert {path: path.stat().st_mtime_ns for path in cli.paths.root.rglob("*")} == everything


def test_labels_with_rows_enough_are_not_named(cli: Cli) -> None:
    write(cli.paths.case("first").data / "rows.csv", rows(8, ["billing", "refund"]) + rows(7, ["login"]))
    out = cli("check", "first").out
    assert "1 with fewer rows in rows.csv than validate.min_rows_per_class (8): login" in out


MODEL = "prompt: {rungs: [lm_zero_shot], models: [{name: small, endpoint: 'http://127.0.0.1:9/v1'}]}"


def prompted(cli: Cli, text: str | None) -> None:
    """A use case with a model, and one prompt or none."""
    case = cli.paths.case("first")
    declared = case.model_yaml.read_text(encoding="utf-8").replace("prompt: {}", MODEL)
    case.model_yaml.write_text(declared, encoding="utf-8")
    if text is not None:
        case.prompts.mkdir()
        (case.prompts / "zero_shot.md").write_text(text, encoding="utf-8")


def test_prompts_are_held_against_what_they_may_name(cli: Cli) -> None:
    prompted(cli, "## User\n{% for one in labels %}{{ one.name }}{% endfor %}\n{{ txt }}\n")
    text = refused(cli)
    assert "models/first/prompts/zero_shot.md:3  {{ txt }}: no such variable; did you mean text?" in text
    assert text.splitlines()[-1] == "Next:  tailtune check first"


def test_a_declared_model_needs_its_prompts(cli: Cli) -> None:
    prompted(cli, None)
    text = refused(cli)
    assert "models/first/prompts/zero_shot.md: no such file, and the rung lm_zero_shot sends it" in text
    assert text.splitlines()[-1] == "Next:  tailtune prompts first"


def test_a_price_that_is_not_declared_is_told_before_anything_is_bought(cli: Cli) -> None:
    prompted(cli, "## User\n{{ text }}\n")
    case = cli.paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(text.replace("{name: small,", "{name: small, price: smal,"), encoding="utf-8")
    assert "prompt.models: small has price `smal`, not in models/prices.yaml" in refused(cli)


def test_labels_that_prompts_have_no_words_for_are_named(cli: Cli) -> None:
    prompted(cli, "## User\n{{ text }}\n")
    (cli.paths.case("first").folder / "labels.yaml").write_text(
        "billing: money\nlogin: Login\nrefund:\n", encoding="utf-8"
    )
    lines = cli("check", "first").out.splitlines()
    assert "models/first/prompts/     ok, 1 prompt" in lines
    assert "models/first/labels.yaml  2 without a description, which prompts read: login, refund" in lines


def test_the_test_file_is_read_too(cli: Cli) -> None:
    case = cli.paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(text.replace("file: rows.csv", "file: rows.csv, test_file: t.csv"), encoding="utf-8")
    assert "data/first/t.csv  no such file" in refused(cli)
    write(case.data / "t.csv", rows(1, ["billing", "chat"]))
    message = refused(cli)
    assert "data/first/t.csv:3  label `chat` is not in models/first/labels.yaml" in message


def test_labels_that_only_test_rows_have_are_a_warning(cli: Cli) -> None:
    case = cli.paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(text.replace("file: rows.csv", "file: rows.csv, test_file: t.csv"), encoding="utf-8")
    write(case.data / "rows.csv", rows(2, ["billing", "login"]))
    write(case.data / "t.csv", rows(1, ["billing", "refund"]))
    result = cli("check", "first")
    assert result.code == 0
    assert "only test rows have: refund; nothing can be learnt about them" in result.out


def test_faults_of_both_files_and_unknown_labels_are_told_at_once(cli: Cli) -> None:
    case = cli.paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(text.replace("file: rows.csv", "file: rows.csv, test_file: t.csv"), encoding="utf-8")
    write(case.data / "rows.csv", [*rows(1), {"text": "x", "label": "chat"}, {"text": "y", "label": ""}])
    write(case.data / "t.csv", [{"texts": "x", "label": "billing"}])
    message = refused(cli)
    for fault in (
        "data/first/rows.csv:6  `label` is empty; expected a label on every row",
        "data/first/t.csv:1  no column `text`; the file has texts, label; did you mean texts?",
        "data/first/rows.csv:5  label `chat` is not in models/first/labels.yaml",
    ):
        assert fault in message, fault
    assert message.splitlines()[-1] == "Next:  tailtune check first"


def test_an_unreadable_file_and_a_folder_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    case = cli.paths.case("first")
    text = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(text.replace("file: rows.csv", "file: rows.csv, test_file: t.csv"), encoding="utf-8")
    (case.data / "t.csv").mkdir()
    unreadable(monkeypatch, case.data / "rows.csv")
    result = cli("check", "first")
    message = result.err
    assert result.code == 1
    assert "data/first/rows.csv  cannot be read: Permission denied" in message
    assert "data/first/t.csv  a folder; expected a file: .csv, .jsonl, .parquet" in message


def test_spec_faults_of_both_files_come_with_their_lines(cli: Cli) -> None:
    case = cli.paths.case("first")
    case.model_yaml.write_text(case.model_yaml.read_text() + "trian: {}\n", encoding="utf-8")
    (case.folder / "labels.yaml").write_text("billing: 1\nlogin: access\n", encoding="utf-8")
    text = refused(cli)
    assert "models/first/model.yaml:13  trian: unknown key; did you mean train?" in text
    assert "models/first/labels.yaml:1  billing: expected a description in words, found 1" in text
    assert text.splitlines()[-1] == "Next:  tailtune check first"


def test_unknown_labels_name_their_rows_and_the_nearest_label(cli: Cli) -> None:
    write(cli.paths.case("first").data / "rows.csv", [*rows(1), {"text": "x", "label": "refnd"}])
    text = refused(cli)
    assert "data/first/rows.csv:5  label `refnd` is not in models/first/labels.yaml; did you mean refund?" in text


def test_labels_that_no_row_has(cli: Cli) -> None:
    write(cli.paths.case("first").data / "rows.csv", rows(2, ["billing"]))
    assert "models/first/labels.yaml  no row has: login, refund" in refused(cli)


def test_faulty_prices_are_found(cli: Cli) -> None:
    cli.paths.prices.write_text("as_of: 2026-13-45\n", encoding="utf-8")
    assert "models/prices.yaml:1  as_of: no such value" in refused(cli)


def test_no_such_use_case(cli: Cli) -> None:
    result = cli("check", "frist")
    assert (result.code, result.out) == (2, "")
    assert "no use case `frist`; did you mean first?" in result.err
    assert result.err.endswith("Next:  tailtune list\n")


def test_rejected_rows_are_counted_and_must_not_stand_among_those_that_must_not_fail(cli: Cli) -> None:
    case = cli.paths.case("first")
    marked = [{**row, "answer": "reject" if at < 2 else "accept"} for at, row in enumerate(rows())]
    write(case.data / "rows.csv", marked)
    lines = cli("check", "first").out.splitlines()
    assert "data/first/rows.csv  ok, 10 rows, 3 labels" in lines
    assert any(line.startswith("data/first/rows.csv  2 rows are marked as rejected and dropped (an") for line in lines)
    write(case.data / "must.csv", marked[:3])
    model = case.model_yaml.read_text(encoding="utf-8")
    case.model_yaml.write_text(model.replace("targets: {}", "targets: {must_not_fail: must.csv}"), encoding="utf-8")
    assert "must.csv:2: marked as rejected (answer: reject), so nobody vouches for it" in refused(cli)
