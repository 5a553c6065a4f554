"""Count an ONNX file: terms from its operators' shapes, as onnx infers them; nothing is run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from papertally.command import CommandError
from papertally.counting.count import HEAD, Counted
from papertally.counting.operators import words
from papertally.ledger.validation_messages import one_line

#: Operators by what an element of theirs is; `in`: elements are the input's, not the output's.
_OUT = {
    **dict.fromkeys(("Relu", "ThresholdedRelu"), "relu"),
    **dict.fromkeys(
        words("Sigmoid HardSigmoid HardSwish Tanh Elu LeakyRelu PRelu Selu Gelu Softplus Softsign Mish Celu Swish"),
        "activation",
    ),
    **dict.fromkeys(("Softmax", "LogSoftmax"), "softmax"),
    **dict.fromkeys(("Resize", "Upsample", "GridSample"), "resample"),
    **dict.fromkeys(
        words("Add Sub Mul Div Pow Sqrt Exp Log Neg Abs Reciprocal Erf Sin Cos Min Max Sum Mod Floor Ceil Round Sign"),
        "elementwise",
    ),
}
_IN = {
    **dict.fromkeys(
        words("AveragePool MaxPool GlobalAveragePool GlobalMaxPool ReduceMean LpPool GlobalLpPool"), "pool"
    ),
    **dict.fromkeys(
        words(
            "ReduceSum ReduceMax ReduceMin ReduceL2 ReduceL1 ReduceProd ReduceSumSquare ReduceLogSumExp CumSum ArgMax "
            "ArgMin"
        ),
        "reduction",
    ),
    **dict.fromkeys(words("LayerNormalization GroupNormalization InstanceNormalization RMSNormalization"), "norm"),
    "BatchNormalization": "batch_norm",
}
_FREE = frozenset(
    words(
        "Reshape Transpose Flatten Squeeze Unsqueeze Concat Split Slice Gather GatherElements GatherND Scatter "
        "ScatterND ScatterElements Expand Tile Pad Shape Size Constant ConstantOfShape Identity Cast CastLike "
        "Dropout Where Equal Less Greater LessOrEqual GreaterOrEqual And Or Not Xor Range DepthToSpace "
        "SpaceToDepth TopK NonZero Trilu OneHot IsNaN EyeLike ReverseSequence NonMaxSuppression Unique"
    )
)
#: Which inputs are parameters of a kind, by operator; those of a BatchNorm beyond are its statistics.
_PARAMETERS = {
    "Conv": ("", "conv", "conv_bias"),
    "ConvTranspose": ("", "conv", "conv_bias"),
    "Gemm": ("fc", "fc", "fc_bias"),
    "MatMul": ("fc", "fc"),
    "BatchNormalization": ("", "batch_norm", "batch_norm", "buffers", "buffers"),
    "LayerNormalization": ("", "norm", "norm"),
    "GroupNormalization": ("", "norm", "norm"),
    "InstanceNormalization": ("", "norm", "norm"),
    "RMSNormalization": ("", "norm"),
    "PRelu": ("", "prelu"),
    "Gather": ("embedding",),
}


class _Graph:
    """Hold a graph's shapes and which of its tensors are stored numbers."""

    def __init__(self, model: Any) -> None:
        import onnx

        kinds = onnx.TensorProto
        floats = (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE, kinds.BFLOAT16)
        held = {x.name: x for x in model.graph.initializer}
        for node in model.graph.node:
            for attribute in node.attribute if node.op_type == "Constant" else ():
                if attribute.name == "value":
                    held[node.output[0]] = attribute.t
        self.stored = {name: (tuple(x.dims), x.data_type in floats) for name, x in held.items()}
        self.alias: dict[str, str] = {}  # one stored tensor under a further name
        for node in model.graph.node:
            if node.op_type == "Identity" and self.source(node.input[0]) in self.stored:
                self.alias[node.output[0]] = self.source(node.input[0])
        self.shapes = {name: shape for name, (shape, _) in self.stored.items()}
        for x in (*model.graph.input, *model.graph.value_info, *model.graph.output):
            tensor = x.type.tensor_type
            if tensor.HasField("shape"):
                dims = [d.dim_value if d.HasField("dim_value") else 0 for d in tensor.shape.dim]
                if all(d > 0 for d in dims):
                    self.shapes.setdefault(x.name, tuple(dims))

    def weight(self, name: str) -> bool:
        """Tell whether a tensor is stored, and of floats."""
        return self.stored.get(self.source(name), ((), False))[1]

    def source(self, name: str) -> str:
        """Return the name that a tensor is stored under."""
        return self.alias.get(name, name)

    def size(self, name: str) -> int:
        """Return a tensor's elements. Raises KeyError for one of no known shape."""
        return prod(self.shapes[name])


def _attribute(node: Any, name: str, default: int) -> int:
    return next((a.i for a in node.attribute if a.name == name), default)


def _product(graph: _Graph, node: Any) -> dict[str, int]:
    """Return the terms of Gemm and MatMul: of a stored matrix, or of two activations."""
    left, right, out = node.input[0], node.input[1], node.output[0]
    shared = graph.shapes[left][0 if node.op_type == "Gemm" and _attribute(node, "transA", 0) else -1]
    linear = graph.weight(left) or graph.weight(right)
    terms = {"fc" if linear else "matmul": graph.size(out) * shared}
    if node.op_type == "Gemm" and len(node.input) > 2 and node.input[2]:
        terms["fc_bias" if linear and graph.weight(node.input[2]) else "elementwise"] = graph.size(out)
    return terms


def _recurrent(graph: _Graph, node: Any) -> dict[str, int]:
    """Return the products of an LSTM, GRU or RNN: both matrices at every step, their bias and gates."""
    steps = prod(graph.shapes[node.input[0]][:2])
    weights = graph.size(node.input[1]) + graph.size(node.input[2])
    gates = prod(graph.shapes[node.input[1]][:2])
    bias = graph.size(node.input[3]) if len(node.input) > 3 and node.input[3] else 0
    return {"fc": steps * weights, "fc_bias": steps * bias, "activation@vector": steps * gates}


def _terms(graph: _Graph, node: Any) -> dict[str, int] | None:
    """Return what a node computes; None for an operator that is not known. Raises KeyError without a shape."""
    kind = node.op_type
    if kind in _FREE:
        return {"embedding": graph.size(node.output[0])} if kind == "Gather" and graph.weight(node.input[0]) else {}
    if kind in ("Conv", "ConvTranspose"):
        weight, at = graph.shapes[node.input[1]], graph.shapes[node.output[0] if kind == "Conv" else node.input[0]]
        bias = len(node.input) > 2 and bool(node.input[2])
        return {
            "conv": at[0] * prod(at[2:]) * prod(weight),
            "conv_bias": graph.size(node.output[0]) if bias else 0,
        }
    if kind in ("Gemm", "MatMul"):
        return _product(graph, node)
    if kind in ("LSTM", "GRU", "RNN"):
        return _recurrent(graph, node)
    if kind == "Clip":
        relu = len(node.input) > 1 and bool(node.input[1])
        return {"relu@body" if relu else "elementwise": graph.size(node.output[0])}
    if kind in _IN:
        return {_IN[kind]: graph.size(node.input[0])}
    if kind in _OUT:
        name = _OUT[kind]
        shape = graph.shapes[node.output[0]]
        if name in ("relu", "activation"):
            name += "@body" if prod(shape[2:] if len(shape) > 3 else shape[1:-1]) > 1 else "@vector"
        elif name == "elementwise" and all(i not in graph.shapes or graph.weight(i) for i in node.input if i):
            name += "@fixed"
        return {name: prod(shape)}
    return None


def measure_onnx(path: Path, text: str, size: Sequence[int] | None) -> tuple[Counted, tuple[int, ...]]:
    """Return an ONNX file's count and the input, without its batch, that it was counted at.

    size: in place of the file's own. Raises CommandError naming the file and what is wrong.
    """
    try:
        import onnx
        from onnx import inliner, shape_inference
    except ModuleNotFoundError:
        raise CommandError(f"network {text!r}: onnx is not installed; install it") from None
    try:
        model = inliner.inline_local_functions(onnx.load(str(path), load_external_data=False))
        stored = {x.name for x in model.graph.initializer}
        given = [x for x in model.graph.input if x.name not in stored]
        dims = given[0].type.tensor_type.shape.dim if len(given) == 1 else []
        own = tuple(d.dim_value for d in dims)[1:]
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise CommandError(one_line(f"network {text!r}: is no ONNX file ({said})")) from None
    if len(given) != 1:
        raise CommandError(one_line(f"network {text!r}: takes {len(given)} inputs; one is counted"))
    wanted = tuple(size) if size else own
    if not wanted or min(wanted) < 1:
        raise CommandError(f"network {text!r}: no input size is stated; write `input: [3, 224, 224]` beside it")
    if len(wanted) != len(own):
        raise CommandError(f"network {text!r}: takes {len(own)} sizes a batch entry, {len(wanted)} are stated")
    for d, n in zip(dims, (1, *wanted), strict=True):
        d.Clear()
        d.dim_value = n
    if (1, *wanted) != (1, *own):  # what was inferred at another size is no fact here
        del model.graph.value_info[:]
        for x in model.graph.output:
            x.type.tensor_type.ClearField("shape")
    try:
        model = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True)
    except Exception as error:
        shape = " x ".join(map(str, wanted))
        said = " ".join(str(error).split())[:200]
        raise CommandError(one_line(f"network {text!r}: fails on one {shape} input ({said})")) from None
    return _count(model), wanted


def _count(model: Any) -> Counted:
    graph = _Graph(model)
    terms: Counter[str] = Counter()
    unknown: Counter[str] = Counter()
    kinds: dict[str, str] = {}
    last: tuple[dict[str, int], list[str]] | None = None
    for node in model.graph.node:
        try:
            found = _terms(graph, node)
        except KeyError:
            found = None
        _note(graph, node, kinds)
        if found is None:
            unknown[node.op_type] += sum(graph.size(o) for o in node.output if o in graph.shapes)
            continue
        if "fc" in found and node.op_type == "Gemm":
            last = found, list(node.input)
        elif any(n and kind.partition("@")[0] not in ("activation", "softmax") for kind, n in found.items()):
            last = None
        terms.update({name: n for name, n in found.items() if n})
    if last:
        for kind, name in HEAD.items():
            if n := last[0].get(kind, 0):
                terms[kind] -= n
                terms[name] += n
        names = [graph.source(x) for x in last[1]]
        kinds |= {x: HEAD[kinds[x]] for x in names if kinds.get(x) in HEAD}
    parts = _parts(graph, kinds)
    return Counted(
        sum(n for kind, n in parts.items() if kind != "buffers"),
        {name: n for name, n in sorted(terms.items()) if n},
        parts,
        dict(sorted(unknown.items())),
        "ONNX shapes",
    )


def _note(graph: _Graph, node: Any, kinds: dict[str, str]) -> None:
    """Note what each stored tensor of floats is to the operator that first takes it."""
    known = _PARAMETERS.get(node.op_type, ())
    if node.op_type in ("LSTM", "GRU", "RNN"):
        known = ("", "fc", "fc", "fc_bias")
    for i, name in enumerate(node.input):
        if graph.weight(name) and node.op_type != "Identity":
            kinds.setdefault(graph.source(name), (known[i] if i < len(known) else "") or "other")


def _parts(graph: _Graph, kinds: Mapping[str, str]) -> dict[str, int]:
    """Return stored floats by kind; a scalar beside no weights is a constant of the graph and no parameter."""
    parts: Counter[str] = Counter()
    for name, (shape, floating) in graph.stored.items():
        kind = kinds.get(name, "unused")
        if floating and (shape or kind not in ("other", "unused")):
            parts[kind] += prod(shape)
    return {kind: n for kind, n in sorted(parts.items()) if n}
