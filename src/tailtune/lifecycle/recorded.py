"""What a version recorded of itself, brought into a scratch checkout: values are taken from it, commands never.

Whoever can write to the registry wrote these files. So the stages and their commands are those of the scratch
checkout's own code, and the stored `dvc.yaml` is only compared with them; of the stored `data.dvc` only the hash of the
rows is taken; and endpoints, keys and files of rows must be ones that this checkout may use anyway.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tailtune.config.endpoints import Address, require_declared
from tailtune.config.located import LinedYaml
from tailtune.config.paths import Paths
from tailtune.core.errors import ServiceError
from tailtune.tasks.table import TASKS

_ASK = "ask who registered it; tailtune show lists the versions there are"
_NOTES = {"desc", "meta"}  # people may add these to a pin
_PIN = {"md5", "size", "nfiles", "hash", "path", *_NOTES}
_MOST_NAMED, _MOST_CHARACTERS = 3, 120


def check(spec: Path, uri: str, declared: frozenset[Address], spec_file: str) -> None:
    """Refuse a recorded model.yaml that would read files, or send texts, where this checkout would not.

    Args:
        spec: The version's `spec/`.
        uri: The version, for messages.
        declared: Endpoints that may be asked.
        spec_file: Where these are declared, for messages.

    Raises:
        SpecError: It is not YAML.
        ServiceError: It names a file outside of the use case's rows.
        UndeclaredEndpointError: It names an endpoint, or a key for one, that is not declared here.
    """
    recorded = _read(spec / "model.yaml", uri)
    for section, key in (("data", "file"), ("data", "test_file"), ("targets", "must_not_fail")):
        file = _mapping(recorded.get(section)).get(key)
        if file is not None and not _stays_inside(file):
            expected = f"{section}.{key} is {file!r}; expected a file of data/<name>/"
            raise ServiceError(f"{uri}: spec/model.yaml: {expected}", _ASK)
    models = _mapping(recorded.get("prompt")).get("models")
    for model in map(_mapping, models if isinstance(models, list) else ()):
        endpoint, key_env = model.get("endpoint"), model.get("key_env")
        if endpoint is not None:
            address = Address.of(str(endpoint), None if key_env is None else str(key_env))
            require_declared(f"{uri}: {model.get('name')}", address, declared, spec_file)


def lay_out(spec: Path, into: Paths, name: str, uri: str) -> None:
    """Put what a version recorded into its places of a scratch checkout.

    Args:
        spec: The version's `spec/`; passed `check`.
        into: The scratch checkout, with its own dvc.yaml.
        name: The use case.
        uri: The version, for messages.

    Raises:
        ServiceError: The recorded stages are not those of the scratch checkout, or data.dvc holds more than a hash.
        SpecError: A file is not YAML.
    """
    case = into.case(name)
    answers = _answers(_read(spec / "model.yaml", uri), uri)
    places = {"model.yaml": case.model_yaml, answers: case.folder / answers, "prices.yaml": into.prices}
    for file, place in places.items():
        if _is_plain(spec / file):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(spec / file, place)
    prompts = [path for path in sorted((spec / "prompts").glob("*.md")) if _is_plain(path)]
    for prompt in prompts:
        case.prompts.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(prompt, case.prompts / prompt.name)
    if _is_plain(spec / "data.dvc"):
        into.data_dvc.write_text(_pin(_read(spec / "data.dvc", uri), uri), encoding="utf-8")
    _use_own_stages(spec, into, name, answers, uri)


def _use_own_stages(spec: Path, into: Paths, name: str, answers: str, uri: str) -> None:
    """Keep the scratch checkout's stages, make sure that the version was made by the same, and add the use case."""
    own = LinedYaml(into.dvc_yaml, into.shown(into.dvc_yaml), "make graph").value
    stored = spec / "dvc.yaml"
    if _is_plain(stored):
        others = list(_differences(_without_use_cases(_read(stored, uri)), _without_use_cases(own)))
        if others:
            more = f"; and {len(others) - _MOST_NAMED} more" if len(others) > _MOST_NAMED else ""
            raise ServiceError(
                f"{uri}: its dvc.yaml has other stages than the code that would run, and nothing was run: "
                f"{'; '.join(others[:_MOST_NAMED])}{more}",
                "fetch the commit that made the version (its tag git_commit), then run the same command again",
            )
    holder = next((entry for entry in own.get("vars") or () if "use_cases" in _mapping(entry)), None)
    if holder is None:
        raise ServiceError(f"{into.shown(into.dvc_yaml)}: has no list `use_cases`", "make graph")
    if name not in (holder["use_cases"] or ()):
        listed = isinstance(holder["use_cases"], list)  # as early checkouts have it
        holder["use_cases"] = [name] if listed else {name: {"answers": answers}}
        into.dvc_yaml.write_text(json.dumps(own, indent=1) + "\n", encoding="utf-8")  # JSON is YAML


def _without_use_cases(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    """All of a dvc.yaml except which use cases there are."""
    kept = [
        {name: value for name, value in entry.items() if name != "use_cases"} if isinstance(entry, dict) else entry
        for entry in pipeline.get("vars") or ()
    ]
    return {**pipeline, "vars": [entry for entry in kept if entry]}


def _differences(stored: Any, own: Any, where: str = "") -> Iterator[str]:
    """Where two documents part, each place as a line with both values."""
    if isinstance(stored, dict) and isinstance(own, dict):
        for key in sorted({*stored, *own}, key=str):
            place = f"{where}.{key}" if where else str(key)
            yield from _differences(stored.get(key), own.get(key), place)
    elif stored != own:
        yield f"{_short(where)} is {_short(repr(stored))}, expected {_short(repr(own))}"


def _pin(recorded: Mapping[str, Any], uri: str) -> str:
    """A data.dvc that pins the recorded rows and does nothing else: no command, no other folder, no other source."""
    outs = recorded.get("outs")
    out = _mapping(outs[0]) if isinstance(outs, list) and len(outs) == 1 else {}
    digest = str(out.get("md5", ""))
    plain = set(recorded) <= {"outs", *_NOTES} and set(out) <= _PIN
    if (
        not plain
        or (out.get("path"), out.get("hash")) != ("data", "md5")
        or not re.fullmatch(r"[0-9a-f]{32}\.dir", digest)
    ):
        raise ServiceError(f"{uri}: spec/data.dvc holds more than the hash of data/, and nothing was run", _ASK)
    return f"outs:\n- md5: {digest}\n  hash: md5\n  path: data\n"


def _answers(recorded: Mapping[str, Any], uri: str) -> str:
    task = TASKS.get(str(recorded.get("task")))
    if task is None:
        raise ServiceError(f"{uri}: spec/model.yaml: task is {recorded.get('task')!r}, which there is not here", _ASK)
    return task.load_class().spec_type.ANSWERS


def _read(file: Path, uri: str) -> dict[str, Any]:
    return LinedYaml(file, f"{uri}: spec/{file.name}", _ASK).value


def _stays_inside(file: object) -> bool:
    return isinstance(file, str) and not Path(file).is_absolute() and ".." not in Path(file).parts


def _is_plain(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
