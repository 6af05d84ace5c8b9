"""Dataset inputs of a run: the curated splits, with the digest DVC has for the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tailtune.config.model import Declared
from tailtune.core.records import Split
from tailtune.services.mlflow.provenance import file_digest

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput


def inputs(case: Declared, splits: Iterable[Split]) -> dict[str, DatasetInput]:
    """Split → dataset input, for the splits whose file is there. Reads bytes and the Parquet footer only."""
    import pyarrow.parquet as pq
    from mlflow.entities import Dataset, DatasetInput, InputTag

    found: dict[str, DatasetInput] = {}
    for split in splits:
        path = case.paths.rows(split)
        if not path.is_file():
            continue
        footer = pq.read_metadata(path)
        names = footer.schema.to_arrow_schema().names
        schema = {"mlflow_colspec": [{"type": "string", "name": name, "required": True} for name in names]}
        dataset = Dataset(
            name=f"{case.name}/{split}",
            digest=file_digest(path),
            source_type="local",
            source=json.dumps({"uri": case.paths.project.shown(path)}),
            schema=json.dumps(schema),
            profile=json.dumps({"num_rows": footer.num_rows}),
        )
        found[split] = DatasetInput(dataset, [InputTag("mlflow.data.context", split)])
    return found
