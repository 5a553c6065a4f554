"""Write a network for use elsewhere: torch's exported programs, ONNX, ONNX in 8 bits, ExecuTorch.

Batch and image size stay free in all but ExecuTorch's. What was written is run and compared with the network itself.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .compat import TORCH
from .ops.exported import exported_form
from .ops.fused import use_backend

#: By form: the file's suffix, and what must be installed beside torch.
FORMS = {
    "exported": (".pt2", ()),
    "onnx": (".onnx", ("onnx", "onnxscript", "onnxruntime")),
    "int8": (".int8.onnx", ("onnx", "onnxscript", "onnxruntime")),
    "executorch": (".pte", ("executorch",)),
}
INPUT, OUTPUT = "images", "outputs"
#: Share of the output by which two images must differ in it, so that a form that reads none of them is seen.
TELLING = 1e-3


class ExportError(ValueError):
    """Say why a network cannot be written in a form, and the mend."""


def missing_packages(form: str) -> list[str]:
    """Return what a form needs and is not installed. Raises ExportError for an unknown form."""
    from importlib.util import find_spec

    if form not in FORMS:
        raise ExportError(f"unknown form {form!r}; known: {', '.join(FORMS)}")
    return [name for name in FORMS[form][1] if find_spec(name) is None]


def exported_program(net: nn.Module, images: Tensor, dynamic: bool = True, gather: bool = False) -> Any:
    """Return torch.export's program of an eval-mode network on images (N, 3, H, W); dynamic: for any N, H and W.

    gather: shift channels by one operator, as ONNX Runtime takes least time for.
    `images` must have N, H and W of their own: at least two images, and sides above 32 that differ.
    """
    shapes = None
    if dynamic:
        shapes = (dict.fromkeys((0, 2, 3), torch.export.Dim.AUTO),)
    with torch.no_grad(), use_backend("eager"):
        return torch.export.export(exported_form(net, gather), (images,), dynamic_shapes=shapes)


def write(
    net: nn.Module,
    images: Tensor,
    form: str,
    path: Path,
    calibration: Sequence[Tensor] = (),
    dynamic: bool = True,
    gather: bool = True,
) -> float:
    """Write an eval-mode network with one output in a form and return the largest difference, in shares of the output.

    The difference is to the network's own output on `images`, divided by that output's largest value. calibration:
    batches that int8's ranges are taken from. dynamic, gather: of ONNX alone: False fixes batch and size to those of
    `images`; False shifts channels by split and concatenation. Raises ExportError for what lacks.
    """
    if form != "onnx" and not (dynamic and gather):
        raise ExportError(f"fixed sizes and the choice of the shift are ONNX's; {form} has none")
    if TORCH < (2, 6):
        raise ExportError(f"exporting needs torch 2.6 or newer, this is {torch.__version__}")
    if lacking := missing_packages(form):
        raise ExportError(f"{form} needs {', '.join(lacking)}: pip install 'micronet-repro[export]'")
    if form == "int8" and not calibration:
        raise ExportError("int8 needs images to take its ranges from")
    partial = path.with_name(path.name + ".partial" + FORMS[form][0])
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        if form == "int8":
            whole = partial.with_suffix(".whole.onnx")
            try:
                _write_onnx(net, images, whole)
                _quantize(whole, partial, calibration)
            finally:
                whole.unlink(missing_ok=True)
        elif form == "onnx":
            _write_onnx(net, images, partial, dynamic, gather)
        else:
            {"exported": _write_exported, "executorch": _write_executorch}[form](net, images, partial)
        with torch.no_grad(), use_backend("eager"):
            wanted = net(images)
        error = largest_difference(_run(form, partial, images), wanted)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return error


def _write_exported(net: nn.Module, images: Tensor, path: Path) -> None:
    torch.export.save(exported_program(net, images), path)


def _write_onnx(net: nn.Module, images: Tensor, path: Path, dynamic: bool = True, gather: bool = True) -> None:
    _save_onnx(exported_program(net, images, dynamic, gather), path)


def _save_onnx(program: Any, path: Path) -> None:
    """Write an exported program as one ONNX file, without the exporter's notes on values and nodes.

    They take a tenth of the file, and shapes noted of weights that were folded stop ONNX Runtime's quantizers.
    """
    import onnx

    found: Any = torch.onnx.export(program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False)
    model = found.model_proto
    del model.graph.value_info[:]
    for noted in (model, model.graph, *model.graph.node, *model.graph.initializer, *model.graph.input):
        del noted.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
    onnx.save(model, path)


def _write_executorch(net: nn.Module, images: Tensor, path: Path) -> None:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program = exported_program(net, images, dynamic=False)
    path.write_bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)


def onnx_session(net: nn.Module, images: Tensor, path: Path, threads: int = 1) -> Any:
    """Write an eval-mode network as ONNX for images of one shape; return ONNX Runtime's session of it on a CPU.

    Raises ExportError for what lacks.
    """
    if lacking := missing_packages("onnx"):
        raise ExportError(f"onnx needs {', '.join(lacking)}: pip install 'micronet-repro[export]'")
    import onnxruntime

    _write_onnx(net, images, path, dynamic=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def largest_difference(found: Tensor, wanted: Tensor) -> float:
    """Return the largest absolute difference of two tensors of one shape, in shares of the largest value wanted."""
    return float((found - wanted).abs().max() / wanted.abs().max())


def varied(n: int, height: int, width: int, generator: torch.Generator) -> Tensor:
    """Return images (n, 3, H, W) of large patterns under noise.

    Of noise alone a network's pooled values are nearly equal for all images, and rounding is large beside what differs.
    """
    coarse = nn.functional.interpolate(torch.randn(n, 3, 4, 4, generator=generator), (height, width), mode="bilinear")
    return 2 * coarse + 0.5 * torch.randn(n, 3, height, width, generator=generator)


class Difference(NamedTuple):
    """Hold the largest difference of a form to the network, and to the network in double precision, as `write` does."""

    error: float
    rounding: float


def differences(net: nn.Module, shapes: Sequence[tuple[int, int, int]], folder: Path) -> dict[str, Difference | str]:
    """Return by form (exported, onnx) how far it is off an eval-mode network, and under `float32` the network itself.

    shapes: (N, H, W) of batches; the network is written once, from the first, and run on each. Where a form fails, its
    error in a line stands in the difference's place. Raises ExportError where a package lacks.
    """
    if lacking := missing_packages("onnx"):
        raise ExportError(f"onnx needs {', '.join(lacking)}: pip install 'micronet-repro[export]'")
    import onnxruntime

    generator = torch.Generator().manual_seed(0)
    batches = [varied(*shape, generator) for shape in shapes]
    with torch.no_grad(), use_backend("eager"):
        wanted = [net.eval()(batch) for batch in batches]
        double = copy.deepcopy(net).double()
        exact = [double(batch.double()) for batch in batches]

    def off(found: Sequence[Tensor], right: Sequence[Tensor]) -> float:
        return max(map(largest_difference, found, right))

    own = off(wanted, exact)
    out: dict[str, Difference | str] = {"float32": Difference(own, own)}
    if any(float((want[0] - want[1]).abs().max()) < TELLING * float(want.abs().max()) for want in wanted):
        fault = "its output is nearly the same for any image, so that nothing can be compared"
        return out | dict.fromkeys(("exported", "onnx"), fault)

    def compare(form: str, run: Callable[[Tensor], Tensor]) -> None:
        with torch.no_grad():
            found = [run(batch) for batch in batches]
        out[form] = Difference(off(found, wanted), off(found, exact))

    try:
        program = exported_program(net, batches[0])
        compare("exported", program.module())
    except Exception as error:  # an exporter fails in ways of its own
        return out | dict.fromkeys(("exported", "onnx"), _line(error))
    try:
        path = folder / "network.onnx"
        _write_onnx(net, batches[0], path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        compare("onnx", lambda batch: torch.from_numpy(session.run(None, {INPUT: batch.numpy()})[0]))
    except Exception as error:
        out["onnx"] = _line(error)
    return out


def _line(error: Exception) -> str:
    """Return an error in one short line."""
    plain = re.sub(r"\x1b\[\d*m", "", str(error))  # exporters colour what they say
    return f"{type(error).__name__}: {' '.join(plain.split())[:160]}"


class _Batches:
    """Feed calibration batches to ONNX Runtime's quantizer."""

    def __init__(self, batches: Sequence[Tensor]) -> None:
        self.left: Iterator[Tensor] = iter(batches)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None after the last."""
        batch = next(self.left, None)
        return None if batch is None else {INPUT: batch.numpy()}


def _quantize(source: Path, target: Path, batches: Sequence[Tensor]) -> None:
    """Quantize convolutions and fully connected layers to 8 bits, weights by channel, ranges from the batches."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    CalibrationDataReader.register(_Batches)
    prepared = source.with_suffix(".prepared.onnx")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=["Conv", "Gemm"],
        )
    finally:
        prepared.unlink(missing_ok=True)


def _run(form: str, path: Path, images: Tensor) -> Tensor:
    """Return what a written network gives."""
    if form == "exported":
        with torch.no_grad():
            return torch.export.load(path).module()(images)
    if form == "executorch":
        from executorch.runtime import Runtime

        return Runtime.get().load_program(path).load_method("forward").execute([images])[0]
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {INPUT: images.numpy()})[0])
