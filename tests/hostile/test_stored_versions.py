"""A registry that somebody else can write to: what its versions say is data, and neither command nor address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tailtune.config.endpoints import Address, declared_addresses, listed_addresses, require_declared
from tailtune.config.paths import Paths
from tailtune.config.prompting import LanguageModelSpec
from tailtune.core.errors import ServiceError, TailTuneError, UndeclaredEndpointError, UsageError
from tailtune.lifecycle import graph, recorded
from tailtune.predictors.prompted.examples import NoExamples
from tailtune.predictors.prompted.rung import Prompted
from tailtune.predictors.prompted.templates import Template
from tailtune.services import scratch
from tailtune.tasks.classification.replies import LabelCodec

URI, NAME = "models:/toy/1", "toy"
DIGEST = "0123456789abcdef0123456789abcdef.dir"
PIN = {"outs": [{"md5": DIGEST, "size": 3, "nfiles": 1, "hash": "md5", "path": "data"}]}
OURS = LanguageModelSpec(name="ours", endpoint="https://api.example.com/v1", key_env="OUR_KEY")
HERE = declared_addresses([OURS], None)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A scratch checkout with the stages of this code, and another use case."""
    made = Paths(tmp_path / "scratch")
    made.models.mkdir(parents=True)
    graph.write(made, {"other": "labels.yaml"})
    return made


@pytest.fixture
def spec(tmp_path: Path, paths: Paths) -> Path:
    """What an honest version has in its spec/."""
    folder = tmp_path / "spec"
    (folder / "prompts").mkdir(parents=True)
    (folder / "model.yaml").write_text(yaml.safe_dump({"task": "classification", "data": {"file": "rows.csv"}}))
    (folder / "labels.yaml").write_text("a: one\n")
    (folder / "data.dvc").write_text(yaml.safe_dump(PIN))
    (folder / "dvc.yaml").write_text(graph.render({NAME: "labels.yaml", "third": "schema.json"}))
    (folder / "prompts" / "zero_shot.md").write_text("---\n")
    return folder


def stages_of(file: Path) -> Any:
    return yaml.safe_load(file.read_text())["stages"]


def test_an_honest_version_is_laid_out_and_runs_the_stages_of_this_code(spec: Path, paths: Paths) -> None:
    before = stages_of(paths.dvc_yaml)
    recorded.check(spec, URI, HERE, "models/toy/model.yaml")
    recorded.lay_out(spec, paths, NAME, URI)
    assert stages_of(paths.dvc_yaml) == before
    assert graph.use_cases(paths) == {NAME: "labels.yaml"}
    assert yaml.safe_load(paths.data_dvc.read_text()) == {"outs": [{"md5": DIGEST, "hash": "md5", "path": "data"}]}
    assert (paths.case(NAME).prompts / "zero_shot.md").is_file()


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("stages", "evaluate", "do", "cmd"), "touch gone; tailtune evaluate ${key}", "stages.evaluate.do.cmd"),
        (("stages", "evaluate", "do", "cmd"), ["touch gone"], "stages.evaluate.do.cmd"),
        (("stages", "evaluate", "do", "deps"), [], "stages.evaluate.do.deps"),
        (("stages", "evaluate", "do", "wdir"), "/", "stages.evaluate.do.wdir"),
        (("stages", "evaluate"), {"cmd": "touch gone"}, "stages.evaluate"),
        (("stages", "first"), {"cmd": "touch gone"}, "stages.first"),
        (("stages",), None, "stages"),
        (("vars",), [{"use_cases": {NAME: None}}, {"key": "x; touch gone"}], "vars"),
        (("vars",), ["/etc/passwd", {"use_cases": {}}], "vars"),
        (("artifacts",), {"x": {"path": "/etc"}}, "artifacts"),
    ],
)
def test_stored_commands_are_refused_and_not_run(
    spec: Path, paths: Paths, place: tuple[str, ...], value: Any, named: str
) -> None:
    pipeline = yaml.safe_load((spec / "dvc.yaml").read_text())
    inner = pipeline
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    (spec / "dvc.yaml").write_text(yaml.safe_dump(pipeline, default_flow_style=False))
    before = paths.dvc_yaml.read_bytes()
    with pytest.raises(ServiceError, match="other stages than the code that would run, and nothing was run") as refused:
        recorded.lay_out(spec, paths, NAME, URI)
    assert named in refused.value.message and "git_commit" in str(refused.value.hint)
    assert paths.dvc_yaml.read_bytes() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"cmd": "touch gone"},
        {"deps": [{"path": "https://evil.example/rows"}]},
        {"wdir": "/"},
        {"outs": []},
        {"outs": [*PIN["outs"], *PIN["outs"]]},
        {"outs": [{**PIN["outs"][0], "path": "/root"}]},
        {"outs": [{**PIN["outs"][0], "remote": "theirs"}]},
        {"outs": [{**PIN["outs"][0], "md5": "../../x.dir"}]},
        {"outs": [{**PIN["outs"][0], "hash": "sha1"}]},
        {"outs": "data"},
    ],
)
def test_a_stored_pin_is_only_a_hash(spec: Path, paths: Paths, changes: dict[str, Any]) -> None:
    (spec / "data.dvc").write_text(yaml.safe_dump({**PIN, **changes}))
    with pytest.raises(ServiceError, match=r"data\.dvc holds more than the hash"):
        recorded.lay_out(spec, paths, NAME, URI)
    assert not paths.data_dvc.exists()


@pytest.mark.parametrize("file", ["/etc/passwd", "../other/rows.csv", "a/../../b", 7])
@pytest.mark.parametrize("key", ["file", "test_file"])
def test_stored_rows_are_the_use_cases_own(spec: Path, key: str, file: object) -> None:
    (spec / "model.yaml").write_text(yaml.safe_dump({"task": "classification", "data": {"file": "a.csv", key: file}}))
    with pytest.raises(ServiceError, match=rf"data\.{key} is"):
        recorded.check(spec, URI, HERE, "")


FOREIGN = [
    ("https://evil.example/v1", None),
    ("https://evil.example/v1", "OUR_KEY"),
    ("https://api.example.com/v1", "AWS_SECRET_ACCESS_KEY"),
    ("http://api.example.com/v1", "OUR_KEY"),
    ("https://api.example.com:444/v1", "OUR_KEY"),
    ("https://api.example.com.evil.example/v1", "OUR_KEY"),
    ("https://api.example.com@evil.example/v1", "OUR_KEY"),
    ("https://api.example.com/v1/../../steal", "OUR_KEY"),
    ("https://api.example.com/v1?to=evil", "OUR_KEY"),
    ("https://api.example.com:port/v1", "OUR_KEY"),
]


@pytest.mark.parametrize(("endpoint", "key_env"), FOREIGN)
def test_an_address_or_key_that_only_the_version_names_is_refused(
    spec: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, key_env: str | None
) -> None:
    model = {"name": "theirs", "endpoint": endpoint, "key_env": key_env}
    declared = {"task": "classification", "data": {"file": "a.csv"}, "prompt": {"models": [model]}}
    (spec / "model.yaml").write_text(yaml.safe_dump(declared))
    with pytest.raises(UndeclaredEndpointError, match="not asked: it would send texts") as refused:
        recorded.check(spec, URI, HERE, "models/toy/model.yaml")
    assert "TAILTUNE_ENDPOINTS" in str(refused.value.hint)
    assert "api.example.com@" not in str(refused.value)
    monkeypatch.setenv("TAILTUNE_ENDPOINTS", "OUR_KEY=https://api.example.com/v1")
    with pytest.raises(UndeclaredEndpointError):
        served(endpoint, key_env).answer(["a customer's text"])


def served(endpoint: str, key_env: str | None) -> Prompted:
    spec = LanguageModelSpec.model_construct(name="theirs", endpoint=endpoint, folder=None, key_env=key_env)
    template = Template("zero_shot", "Sort.", "Text:\n{{ text }}\nAnswer:")
    return Prompted("lm_zero_shot", template, LabelCodec({"a": "One."}), spec, NoExamples())


@pytest.mark.parametrize(
    ("endpoint", "key_env"),
    [
        ("https://api.example.com/v1", "OUR_KEY"),
        ("https://API.example.com:443/v1/", "OUR_KEY"),
        ("https://api.example.com/v1", None),
        ("http://127.0.0.1:11434/v1", None),
    ],
)
def test_a_declared_address_is_asked_however_it_is_spelt(endpoint: str, key_env: str | None) -> None:
    declared = declared_addresses([OURS], "http://127.0.0.1:11434/v1")
    require_declared("small", Address.of(endpoint, key_env), declared, "models/toy/model.yaml")


UNREADABLE = ["http://", "http:///v1", "http://[bad", "http://h:x/v1", "http://h:99999/v1", "https://h/v1,https://g/v1"]


@pytest.mark.parametrize(
    "listed", ["evil.example", "our_key=https://x.example", "A=B=https://x.example", "file:///x", *UNREADABLE]
)
def test_a_list_that_cannot_be_read_is_refused(listed: str) -> None:
    with pytest.raises(UsageError, match="TAILTUNE_ENDPOINTS: expected URLs"):
        listed_addresses(listed)


@pytest.mark.parametrize("commit", ["--upload-pack=x", "HEAD", "main", "-1", "", "0123456\n", "ABCDEF0"])
def test_a_stored_commit_is_a_hash_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, commit: str) -> None:
    seen: list[str] = []
    monkeypatch.setattr(scratch, "_git", lambda _, *words: seen.extend(words) or False)
    (tmp_path / "origin").mkdir()
    assert scratch.make(Paths(tmp_path / "origin"), tmp_path / "copy", commit).commit is None
    assert "cat-file" not in seen and "add" not in seen


@pytest.mark.parametrize("text", ["- a\n", "a: [", "task: nonsense\n", "{}", "task: [classification]\n"])
def test_a_stored_spec_that_is_none_is_one_error(spec: Path, paths: Paths, text: str) -> None:
    (spec / "model.yaml").write_text(text)
    with pytest.raises(TailTuneError, match=r"spec/model\.yaml"):
        recorded.lay_out(spec, paths, NAME, URI)
