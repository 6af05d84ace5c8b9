"""Bearer tokens: shown once, kept as hashes that nobody else may read, ended when they are removed."""

from __future__ import annotations

from pathlib import Path

import pytest
from services.mlflow import examples

from tailtune.cli.serve import add_token as command
from tailtune.core.errors import UsageError
from tailtune.serving.tokens import Tokens, add_token, clients, remove_token


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "served" / "tokens.json"


def test_only_its_hash_is_kept_and_only_the_owner_reads_it(file: Path) -> None:
    token = add_token(file, "shop")
    assert len(token) > 40
    assert token not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert clients(file) == ["shop"]
    add_token(file, "bank")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_second_token_of_a_client_says_that_the_first_has_ended(tmp_path: Path) -> None:
    case = examples.make_case(tmp_path / "project")
    first, second, other = (command(case.paths.project, case.name, client)[1] for client in ("shop", "shop", "bank"))
    assert first.endswith("It is the first: start the server again.")
    assert second.endswith("The one that it had before has ended.")
    assert other.endswith("only its hash is kept.")


def test_a_token_names_its_client(file: Path) -> None:
    shop, bank, known = add_token(file, "shop"), add_token(file, "bank"), Tokens(file)
    assert known.client(f"Bearer {shop}") == "shop"
    assert known.client(f"bearer  {bank} ") == "bank"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer x{}", "Bearer {}x", "Bearer é"]
)
def test_anything_else_names_nobody(header: str | None, file: Path) -> None:
    token = add_token(file, "shop")
    assert Tokens(file).client(None if header is None else header.format(token)) is None


def test_a_server_that_runs_sees_new_and_ended_tokens(file: Path) -> None:
    shop, known = add_token(file, "shop"), Tokens(file)
    assert known.client(f"Bearer {shop}") == "shop"
    newer = add_token(file, "shop")
    assert known.client(f"Bearer {shop}") is None
    assert known.client(f"Bearer {newer}") == "shop"
    remove_token(file, "shop")
    assert known.client(f"Bearer {newer}") is None
    with pytest.raises(UsageError, match="no client 'shop'; known are none"):
        remove_token(file, "shop")


def test_a_torn_file_keeps_the_clients_and_a_lost_one_has_none(file: Path) -> None:
    shop, known = add_token(file, "shop"), Tokens(file)
    assert known.client(f"Bearer {shop}") == "shop"
    file.write_text("{")
    assert known.client(f"Bearer {shop}") == "shop"
    assert Tokens(file).client(f"Bearer {shop}") is None
    file.unlink()
    assert known.client(f"Bearer {shop}") is None
