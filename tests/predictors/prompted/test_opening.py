"""What is declared decides who answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import MissingInputError
from tailtune.predictors.prompted.opening import open_model
from tailtune.services.endpoint import Endpoint


def test_an_endpoint_is_opened_without_a_request_or_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    spec = LanguageModelSpec(name="small", endpoint="http://127.0.0.1:9/v1", key_env="NO_SUCH_KEY")
    model = open_model(spec)
    assert isinstance(model, Endpoint)
    assert model.name == "small"
    assert model.count_tokens("three more words") >= 3


def test_a_folder_is_opened_from_the_root_that_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = LanguageModelSpec(name="local", folder="lm/tiny")
    with pytest.raises(MissingInputError, match=f"{tmp_path}/root/lm/tiny: no such folder"):
        open_model(spec, tmp_path / "root")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingInputError, match=f"{tmp_path}/lm/tiny: no such folder"):
        open_model(spec)
