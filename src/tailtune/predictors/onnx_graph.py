"""The encoder as an ONNX file, in float32 or with int8 weights: what a served model computes with.

The graph is written operator by operator from the weights that `bert.py` reads, one text at a time and without padding,
so that two exports of one model are equal to the last byte and no text's answer depends on what it is batched with
(docs/adr/020-served-without-torch.md). A test compares it with `transformers`.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from tailtune.predictors.encoder import EXPORTED
from tailtune.predictors.onnx import HIDDEN, IDS, KINDS, MAX_POSITIONS
from tailtune.predictors.reading import encoder_path

if TYPE_CHECKING:
    from onnx import ModelProto

    from tailtune.predictors.bert import Bert, Linear, Norm

Weights = Literal["int8", "int8-mixed", "fp32"]
WEIGHTS: tuple[Weights, ...] = ("int8", "int8-mixed", "fp32")
"""From the fastest to the exact: every product with int8 weights; all but the feed-forward's second; none."""
OPSET = 20  # the first with Gelu; onnxruntime 1.17 and later read it
DOWN = "down"
TOKENIZER = "tokenizer.json"


@dataclass(frozen=True)
class Source:
    """One per encoder to export.

    Attributes:
        bert: Its weights, float32, an adapter merged.
        base: The folder with its tokenizer.
        kinds: (kinds, width), added to the embedding of each token by how its word is written; None without.
    """

    bert: Bert
    base: Path
    kinds: NDArray[np.float32] | None = None


def embedded_encoder() -> Source:
    """The embedded encoder, as it is."""
    import torch

    from tailtune.predictors.bert import load_bert

    return Source(load_bert(encoder_path(), torch.float32), encoder_path())


def export(source: Source, folder: Path, weights: Weights) -> None:
    """Write an encoder into an empty folder: `encoder.onnx` and `tokenizer.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_encoder(encoder_graph(source.bert, source.kinds), folder / EXPORTED, weights)
    shutil.copyfile(source.base / TOKENIZER, folder / TOKENIZER)


class _Graph:
    """Nodes and constants in the order in which they were added; names are numbered, so they are the same each time."""

    def __init__(self) -> None:
        from onnx import NodeProto, TensorProto

        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, kind: str, *inputs: str, name: str = "", outputs: int = 1, **attributes: Any) -> str:
        """Add an operator; returns its output's name, or the common beginning of several (`name:0`, `name:1`)."""
        from onnx import helper

        name = name or f"{kind.lower()}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}:{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, name=name, **attributes))
        return name

    def constant(self, value: NDArray[np.generic]) -> str:
        """Add a constant; returns its name."""
        from onnx import numpy_helper

        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def shape(self, *sizes: int) -> str:
        """Add a shape; -1 is what is left."""
        return self.constant(np.array(sizes, dtype=np.int64))

    def linear(self, x: str, layer: Linear, name: str = "") -> str:
        """(t, in) → (t, out)."""
        product = self.add("MatMul", x, self.constant(_array(layer.weight).T), name=name)
        return self.add("Add", product, self.constant(_array(layer.bias)))

    def norm(self, x: str, norm: Norm) -> str:
        """Layer norm of (t, width)."""
        weights = (self.constant(_array(each)) for each in (norm.weight, norm.bias))
        return self.add("LayerNormalization", x, *weights, axis=-1, epsilon=norm.eps)


def encoder_graph(bert: Bert, kinds: NDArray[np.float32] | None = None) -> ModelProto:
    """The float32 graph of an encoder.

    Args:
        bert: Its weights, float32, an adapter merged.
        kinds: (kinds, width), added to the embedding of each token by how its word is written; None without.

    Returns:
        A model that takes `ids`, and `kinds` if there is such a table, and gives `hidden`.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    x = graph.add("Gather", graph.constant(_array(bert.words)), IDS, axis=0)
    length = graph.add("Shape", IDS)
    zero = graph.shape(0)
    x = graph.add("Add", x, graph.add("Slice", graph.constant(_array(bert.positions)), zero, length, zero))
    if kinds is not None:
        x = graph.add("Add", x, graph.add("Gather", graph.constant(kinds.astype(np.float32)), KINDS, axis=0))
    x = graph.norm(x, bert.embedding_norm)
    for at, layer in enumerate(bert.layers):
        mixed = _attention(graph, graph.linear(x, layer.qkv), bert.heads, bert.width)
        x = graph.norm(graph.add("Add", graph.linear(mixed, layer.attention_out), x), layer.attention_norm)
        inner = graph.add("Gelu", graph.linear(x, layer.up))
        added = graph.add("Add", graph.linear(inner, layer.down, f"{DOWN}{at}"), x)
        x = graph.norm(added, layer.out_norm)
    graph.add("Identity", x, name=HIDDEN)
    names = [IDS] if kinds is None else [IDS, KINDS]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["tokens"]) for name in names]
    output = helper.make_tensor_value_info(HIDDEN, TensorProto.FLOAT, ["tokens", bert.width])
    model = helper.make_model(
        helper.make_graph(graph.nodes, "encoder", inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=10,
        producer_name="tailtune",
    )
    helper.set_model_props(model, {MAX_POSITIONS: str(bert.max_positions)})
    onnx.checker.check_model(model)
    return model


def _attention(graph: _Graph, qkv: str, heads: int, width: int) -> str:
    """Self-attention of stacked projections (t, 3 · width) → (t, width)."""
    split = graph.add("Reshape", qkv, graph.shape(-1, 3, heads, width // heads))
    stacked = graph.add("Transpose", split, perm=[1, 2, 0, 3])  # (3, heads, t, size)
    parts = graph.add("Split", stacked, outputs=3, axis=0, num_outputs=3)
    first = graph.shape(0)
    query, key, value = (graph.add("Squeeze", f"{parts}:{at}", first) for at in range(3))
    turned = graph.add("Transpose", key, perm=[0, 2, 1])
    scale = graph.constant(np.array((width // heads) ** -0.5, dtype=np.float32))
    scores = graph.add("MatMul", graph.add("Mul", query, scale), turned)
    mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
    return graph.add("Reshape", graph.add("Transpose", mixed, perm=[1, 0, 2]), graph.shape(-1, width))


def write_encoder(model: ModelProto, file: Path, weights: Weights) -> None:
    """Write a graph; int8 quantises weights by output channel, activations while it runs (ONNX Runtime).

    The feed-forward's second product has the inputs with the widest range: in float32 it costs 1 ms a text and halves
    the answers that differ (BANKING77, probe: 1.0 % → 0.5 % of 3,080 texts).

    Source: https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html (dynamic quantisation).
    """
    if weights == "fp32":
        file.write_bytes(model.SerializeToString(deterministic=True))
        return
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        quantised = Path(scratch) / "int8.onnx"
        plain = [node.name for node in model.graph.node if weights == "int8-mixed" and node.name.startswith(DOWN)]
        # It copies what it is handed, and says on the root logger that it could optimise more.
        with _quiet():
            quantize_dynamic(model, quantised, per_channel=True, weight_type=QuantType.QInt8, nodes_to_exclude=plain)
        import onnx

        file.write_bytes(onnx.load(quantised).SerializeToString(deterministic=True))


@contextmanager
def _quiet() -> Iterator[None]:
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _array(tensor: object) -> NDArray[np.float32]:
    """A torch tensor as float32."""
    values: NDArray[np.float32] = tensor.detach().float().cpu().numpy()  # type: ignore[attr-defined]
    return values
