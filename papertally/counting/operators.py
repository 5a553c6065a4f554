"""What each operator of torch computes, as terms: rules by ATen name, and what moves data and computes nothing.

A rule reads one call (arguments by their schema's names, shapes only) and never its values. What neither a rule nor
torch's own tags (pointwise, view) describe is unknown and is named by the counter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Work:
    """Hold what one call does: term kind -> count, and the arguments that are parameters of a kind."""

    terms: Mapping[str, int]
    parameters: Mapping[str, str] = field(default_factory=dict)  # argument's name -> kind


@dataclass(frozen=True)
class Call:
    """Hold one operator's call: arguments by name, tensors put out, whether an argument is a weight."""

    name: str
    args: Mapping[str, Any]
    outs: list[Tensor]
    weight: Callable[[Tensor], bool]

    def tensor(self, name: str) -> Tensor:
        """Return a tensor argument."""
        return self.args[name]

    @property
    def out(self) -> Tensor:
        """Return the first tensor put out."""
        return self.outs[0]

    @property
    def first(self) -> Tensor:
        """Return the first tensor argument."""
        return next(a for a in self.args.values() if isinstance(a, Tensor))


Rule = Callable[[Call], Work]


def _site(x: Tensor) -> str:
    """Return where an element-wise function works: on a map of positions, or on one vector an image."""
    positions = prod(x.shape[2:]) if x.dim() >= 4 else prod(x.shape[1:-1]) if x.dim() == 3 else 1
    return "body" if positions > 1 else "vector"


def _convolution(call: Call) -> Work:
    """Count a convolution of any dimension; a transposed one applies its kernel at every input position."""
    x, weight, bias = call.tensor("input"), call.tensor("weight"), call.args.get("bias")
    at = x if call.args.get("transposed") else call.out
    batch = 1 if at.dim() == weight.dim() - 1 else at.shape[0]
    terms = {"conv": batch * prod(at.shape[2 - weight.dim() :]) * weight.numel()}
    if bias is not None:
        terms["conv_bias"] = call.out.numel()
    return Work(terms, {"weight": "conv", "bias": "conv_bias"})


def _product(call: Call, left: Tensor, right: Tensor, names: tuple[str, str], added: str | None = None) -> Work:
    """Count a product of matrices: of a weight (fc) or of two activations (matmul)."""
    count = left.numel() * (right.shape[-1] if right.dim() > 1 else 1)
    kinds = {}
    linear = call.weight(left) != call.weight(right) or (call.weight(left) and call.weight(right))
    terms = {"fc" if linear else "matmul": count}
    if linear:
        kinds = {name: "fc" for name, x in zip(names, (left, right), strict=True) if call.weight(x)}
    if added is not None:
        bias = call.tensor(added)
        if linear and call.weight(bias):
            terms["fc_bias"], kinds[added] = call.out.numel(), "fc_bias"
        elif call.args.get("beta", 1) != 0:
            terms["elementwise"] = call.out.numel()
    return Work(terms, kinds)


def _mm(*names: str, added: str | None = None) -> Rule:
    return lambda call: _product(call, call.tensor(names[0]), call.tensor(names[1]), (names[0], names[1]), added)


def attention(q: Tensor, k: Tensor, v: Tensor) -> dict[str, int]:
    """Return the terms of scaled_dot_product_attention: both products and the softmax between them."""
    heads, source = prod(q.shape[:-1]), k.shape[-2]
    return {"matmul@attention": heads * source * (q.shape[-1] + v.shape[-1]), "softmax": heads * source}


def _norm(kind: str) -> Rule:
    return lambda call: Work({kind: call.first.numel()}, {"weight": kind, "bias": kind})


def _batch_norm(call: Call) -> Work:
    """Count a BatchNorm; one without running statistics is an instance's own."""
    kind = "norm" if call.args.get("running_mean") is None else "batch_norm"
    return Work({kind: call.first.numel()}, {"weight": kind, "bias": kind})


def _relu(call: Call) -> Work:
    return Work({f"relu@{_site(call.out)}": call.out.numel()})


def _clamp(call: Call) -> Work:
    """Count a clamp: a ReLU where its lower end is 0."""
    low = call.args.get("min")
    return _relu(call) if isinstance(low, int | float) and low == 0 else Work({"elementwise": call.out.numel()})


def _activation(call: Call) -> Work:
    return Work({f"activation@{_site(call.out)}": call.out.numel()}, {"weight": "prelu"})


def _of_input(kind: str) -> Rule:
    return lambda call: Work({kind: call.first.numel()})


def _of_output(kind: str) -> Rule:
    return lambda call: Work({kind: call.out.numel()})


def _embedding(call: Call) -> Work:
    return Work({"embedding": call.out.numel()}, {"weight": "embedding"})


def _deformed(call: Call) -> Work:
    """Count torchvision's deformable convolution: its kernel's products, and the sampling of its input."""
    weight, out = call.tensor("weight"), call.out
    positions = out.shape[0] * prod(out.shape[2:])
    taps = positions * prod(weight.shape[2:]) * call.tensor("input").shape[1]
    return Work(
        {"conv": positions * weight.numel(), "resample": taps, "conv_bias": out.numel()},
        {"weight": "conv", "bias": "conv_bias"},
    )


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


def _each(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(words(names), rule)


#: By ATen name, without the underscore of the in-place form.
RULES: dict[str, Rule] = {
    **_each("convolution _convolution mkldnn_convolution cudnn_convolution convolution_overrideable", _convolution),
    "torchvision::deform_conv2d": _deformed,
    **_each("mm bmm", _mm("self", "mat2")),
    "mv": _mm("self", "vec"),
    **_each("dot vdot", _mm("self", "tensor")),
    "addmm": _mm("mat1", "mat2", added="self"),
    "baddbmm": _mm("batch1", "batch2", added="self"),
    "addbmm": _mm("batch1", "batch2", added="self"),
    "addmv": _mm("mat", "vec", added="self"),
    **_each("native_layer_norm native_group_norm _fused_rms_norm rms_norm", _norm("norm")),
    **_each(
        "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm "
        "_batch_norm_with_update batch_norm_elemt",
        _batch_norm,
    ),
    **_each("relu relu6 threshold", _relu),
    **_each(
        "hardtanh clamp clip",
        lambda call: _clamp(
            Call(
                call.name, {**call.args, "min": call.args.get("min", call.args.get("min_val"))}, call.outs, call.weight
            )
        ),
    ),
    "clamp_min": _clamp,
    **_each(
        "silu gelu hardswish hardsigmoid sigmoid tanh elu leaky_relu prelu _prelu_kernel softplus mish log_sigmoid "
        "log_sigmoid_forward celu selu hardshrink softshrink glu rrelu rrelu_with_noise",
        _activation,
    ),
    **_each("_softmax _safe_softmax _log_softmax", _of_output("softmax")),
    **_each(
        "avg_pool1d avg_pool2d avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_avg_pool1d "
        "adaptive_avg_pool2d adaptive_avg_pool3d max_pool1d max_pool2d max_pool3d max_pool2d_with_indices "
        "max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d "
        "fractional_max_pool3d mean torchvision::roi_align torchvision::roi_pool",
        _of_input("pool"),
    ),
    **_each(
        "sum amax amin max min var var_mean std std_mean prod cumsum cumprod norm linalg_vector_norm logsumexp "
        "argmax argmin median any all aminmax nansum logcumsumexp cummax cummin",
        _of_input("reduction"),
    ),
    **_each(
        "upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
        "_upsample_nearest_exact2d _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d "
        "upsample_trilinear3d upsample_bicubic2d _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler_2d "
        "grid_sampler_3d grid_sampler_2d_fallback",
        _of_output("resample"),
    ),
    **_each("embedding embedding_bag _embedding_bag _embedding_bag_forward_only", _embedding),
}

#: Fused attention, where torch has one operator for it: its first three tensors are query, key and value.
ATTENTION = ("_scaled_dot_product", "scaled_dot_product_attention")

#: What moves, makes or compares and computes no term; views and what torch tags as one are free without standing here.
FREE = frozenset(
    words(
        "clone copy _to_copy to contiguous cat stack hstack vstack split chunk unbind index index_select gather "
        "scatter index_put _index_put_impl index_copy index_fill index_add masked_fill masked_select masked_scatter "
        "where roll flip repeat repeat_interleave tile constant_pad_nd reflection_pad1d reflection_pad2d "
        "reflection_pad3d replication_pad1d replication_pad2d replication_pad3d pad im2col col2im unfold_copy "
        "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle tril triu empty empty_like "
        "empty_strided new_empty new_zeros new_ones new_full zeros zeros_like ones ones_like full full_like fill zero "
        "arange linspace eye scalar_tensor lift_fresh lift_fresh_copy _local_scalar_dense item topk sort argsort "
        "nonzero unique _unique2 searchsorted bucketize one_hot native_dropout dropout bernoulli rand randn rand_like "
        "randn_like randint randperm normal uniform exponential detach alias set resize resize_as _unsafe_view "
        "_reshape_copy _reshape_alias as_strided complex _conj view_as_real view_as_complex _assert_async "
        "_assert_scalar sym_size sym_numel is_same_size isfinite isnan bitwise_and bitwise_or bitwise_not bitwise_xor "
        "meshgrid new_empty_strided unsafe_split split_with_sizes unsafe_chunk tril_indices triu_indices max_unpool2d "
        "max_unpool3d diag_embed _unsafe_index _unsafe_index_put slice_scatter select_scatter diagonal_scatter "
        "affine_grid_generator torchvision::nms prims::device_put _assert_tensor_metadata sym_constrain_range "
        "sym_constrain_range_for_size block_diag cartesian_prod atleast_2d scatter_add transpose t squeeze unsqueeze "
        "swapaxes swapdims permute view reshape expand narrow select slice"
    )
)


def base_name(operator: Any) -> str:
    """Return an operator's name as rules have it: aten's bare and without an in-place underscore, others whole."""
    space, _, name = operator._schema.name.partition("::")
    return name.removesuffix("_") if space == "aten" else f"{space}::{name}"


def bound(operator: Any, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's arguments by their schema's names."""
    names = [argument.name for argument in operator._schema.arguments]
    return {**dict(zip(names, args, strict=False)), **kwargs}


def is_free(operator: Any, name: str) -> bool:
    """Tell whether an operator moves, makes or compares alone."""
    return operator.is_view or name in FREE or torch.Tag.view_copy in operator.tags


def is_pointwise(operator: Any) -> bool:
    """Tell whether torch itself says that an operator works element by element."""
    return torch.Tag.pointwise in operator.tags
