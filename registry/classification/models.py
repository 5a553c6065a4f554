"""Classification on mmengine alone: head, model and metric, without mmpretrain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import METRICS, MODELS
from torch import Tensor, nn
from torch.nn import functional as F

from ..baselines import build_net
from ..cost.count import Cost, batch_norm_cost, linear_cost, pool_cost
from ..inputs.errors import check_finite
from ..ops.norms import reset_untrained
from ..strict import zip_strict


def classifier_cost(channels: int, hidden: int, classes: int, size: tuple[int, int]) -> Cost:
    """Return the cost of ClassificationHead on a map of `size`; no convention counts its element-wise functions."""
    first = pool_cost(channels, size) + linear_cost(channels, hidden, head=True) + batch_norm_cost(hidden)
    return first + linear_cost(hidden, classes, head=True) + batch_norm_cost(classes)


HEAD_INIT = [
    {"type": "Normal", "layer": "Linear", "std": 0.01},
    {"type": "Constant", "layer": ["_BatchNorm"], "val": 1},
]


@MODELS.register_module()
class ClassificationHead(BaseModule):
    """Classify the last feature map (N, C, H, W) into logits (N, classes): Table 1's avg pool and 2 fc.

    ReLU6, average pool, hard-swish, FC, BatchNorm, hard-swish, dropout, FC, BatchNorm, hard-swish: the order of the
    official code, which the paper does not spell out. `loss` and `predict` are what mmpretrain's ImageClassifier calls.
    """

    def __init__(
        self,
        channels: int,
        hidden: int = 1024,
        classes: int = 1000,
        dropout: float = 0.05,
        label_smoothing: float = 0.0,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg or HEAD_INIT)
        self.label_smoothing = label_smoothing
        self.fc1, self.bn1 = nn.Linear(channels, hidden), nn.BatchNorm1d(hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2, self.bn2 = nn.Linear(hidden, classes), nn.BatchNorm1d(classes)

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        x = features if isinstance(features, Tensor) else features[-1]
        x = F.hardswish(F.relu6(x).mean((2, 3)))
        x = self.dropout(F.hardswish(self.bn1(self.fc1(x))))
        return F.hardswish(self.bn2(self.fc2(x)))

    def init_weights(self) -> None:
        """Initialize as configured, running statistics too."""
        super().init_weights()
        reset_untrained(self)

    def loss(self, feats: Tensor | Sequence[Tensor], data_samples: Sequence[Any], **_: Any) -> dict[str, Tensor]:
        """Return the cross-entropy against mmpretrain's data samples: their scores where images were mixed, or labels.

        feats: the last feature map, or several of which it is the last.
        """
        name = "gt_score" if "gt_score" in data_samples[0] else "gt_label"
        targets = [getattr(sample, name) for sample in data_samples]
        logits = self(feats)
        target = (torch.stack if name == "gt_score" else torch.cat)(targets).to(logits.device)
        return {"loss": F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)}

    def predict(self, feats: Tensor | Sequence[Tensor], data_samples: Sequence[Any] | None = None) -> list[Any]:
        """Return mmpretrain's data samples with predicted scores and labels."""
        if data_samples is None:
            from mmpretrain.structures import DataSample

            data_samples = [DataSample() for _ in range(len(feats[-1]))]
        scores = self(feats).softmax(1)
        for sample, score in zip_strict(data_samples, scores):
            sample.set_pred_score(score).set_pred_label(score.argmax())
        return list(data_samples)


@MODELS.register_module()
class Classifier(BaseModel):
    """Train and evaluate a backbone and a head on images (N, 3, H, W) with integer labels (N,).

    forward(inputs, data_samples, mode): `tensor` gives logits, `loss` the cross-entropy, `predict` a list with each
    image's scores and label. Label smoothing is the paper's for M3 (section 5.1). parts: into how many a batch is
    divided for the loss, as torch's DataParallel shares it out: each BatchNorm normalizes by a part's statistics, and
    keeps those of the first part.
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        label_smoothing: float = 0.0,
        data_preprocessor: Any = None,
        init_cfg: Any = None,
        parts: int = 1,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build({"channels": self.backbone.out_channels[-1], **head})
        self.label_smoothing, self.parts = label_smoothing, parts

    def forward(self, inputs: Tensor, data_samples: Tensor | None = None, mode: str = "tensor") -> Any:
        if mode not in ("tensor", "loss", "predict"):
            raise ValueError(f"unknown mode {mode!r}; known: tensor, loss, predict")
        if mode == "tensor":
            return self.logits(inputs)
        if data_samples is None:
            raise ValueError(f"mode {mode!r} needs labels in data_samples")
        labels = data_samples.to(inputs.device)
        if mode == "loss":
            return self.losses_in_parts(inputs, labels) if self.parts > 1 else self.losses(inputs, labels)
        return [{"scores": s, "label": y} for s, y in zip_strict(self.logits(inputs), labels)]

    def losses_in_parts(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the losses' means over all images of a batch, computed part by part; buffers are the first part's."""
        parts = self.parts
        while parts > 1 and len(inputs.chunk(parts)[-1]) < 2:  # one image alone has no variance
            parts -= 1
        out: dict[str, Tensor] = {}
        kept: list[Tensor] = []
        for images, mine in zip_strict(inputs.chunk(parts), labels.chunk(parts)):
            for name, loss in self.losses(images, mine).items():
                share = loss * (len(images) / len(inputs))
                out[name] = out[name] + share if name in out else share
            kept = kept or [buffer.clone() for buffer in self.buffers()]
        for buffer, first in zip_strict(self.buffers(), kept):
            buffer.data.copy_(first)  # by .data: autograd takes a buffer for changed that backward does not read
        return out

    def logits(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        return self.head(self.backbone(inputs))

    def losses(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the cross-entropy against labels (N,)."""
        return {"loss": F.cross_entropy(self.logits(inputs), labels, label_smoothing=self.label_smoothing)}


@MODELS.register_module()
class NetClassifier(Classifier):
    """Train and evaluate a whole network that puts out logits: a baseline of Table 2, by name (registry.baselines).

    net: {'type': name, ...its arguments}; head: {'classes': n}, as Classifier's configs have it.
    """

    def __init__(
        self,
        net: dict,
        head: dict,
        label_smoothing: float = 0.0,
        data_preprocessor: Any = None,
        init_cfg: Any = None,
        parts: int = 1,
    ) -> None:
        BaseModel.__init__(self, data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.net = build_net(net, head["classes"])
        self.label_smoothing, self.parts = label_smoothing, parts

    def logits(self, inputs: Tensor) -> Tensor:
        """Return logits (N, classes)."""
        return self.net(inputs)


@MODELS.register_module()
class MutualClassifier(Classifier):
    """Train a MicroNet together with a full-rank partner of the same widths, each by labels and by the other.

    The partner replaces Micro-Factorized convolutions by plain pointwise and k x k depthwise ones (section 5.1). The
    loss adds both cross-entropies and both KL divergences, each with the other side's distribution as fixed target.
    At test time, and in the saved weights, the MicroNet stands alone.
    """

    def __init__(self, backbone: dict, head: dict, **kwargs: Any) -> None:
        super().__init__(backbone, head, **kwargs)
        self.partner_backbone = MODELS.build({**backbone, "factorized": False})
        self.partner_head = MODELS.build({"channels": self.partner_backbone.out_channels[-1], **head})

    def losses(self, inputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return cross-entropy and KL of either side; mmengine sums them."""
        own = self.logits(inputs)
        other = self.partner_head(self.partner_backbone(inputs))
        log_own, log_other = F.log_softmax(own, 1), F.log_softmax(other, 1)

        def kl(student: Tensor, teacher: Tensor) -> Tensor:
            return F.kl_div(student, teacher.detach(), reduction="batchmean", log_target=True)

        return {
            "loss_ce": F.cross_entropy(own, labels, label_smoothing=self.label_smoothing),
            "loss_ce_partner": F.cross_entropy(other, labels, label_smoothing=self.label_smoothing),
            "loss_kl": kl(log_own, log_other),
            "loss_kl_partner": kl(log_other, log_own),
        }

    def deployed_state_dict(self) -> dict[str, Tensor]:
        """Return the MicroNet's weights without the partner's."""
        return {k: v for k, v in self.state_dict().items() if not k.startswith("partner_")}


@METRICS.register_module()
class TopK(BaseMetric):
    """Compute top-k accuracies in percent over the images whose label ranks among the k highest scores.

    correct: of the last evaluation, which images of the set, in its order, are among the k: {"top1": [...], ...}.
    """

    default_prefix = None

    def __init__(self, topk: Sequence[int] = (1, 5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk = tuple(topk)
        self.correct: dict[str, list[bool]] = {}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect whether each image's label is within each k. Raises DivergedError for scores that are not finite."""
        if data_samples:
            check_finite(torch.stack([sample["scores"] for sample in data_samples]))
        for sample in data_samples:
            order = torch.argsort(sample["scores"], descending=True, stable=True)
            rank = int((order == sample["label"]).nonzero()[0])
            self.results.append([rank < k for k in self.topk])

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return {'top1': percent, 'top5': percent}."""
        self.correct = {f"top{k}": [hit[i] for hit in results] for i, k in enumerate(self.topk)}
        hits = torch.tensor(results, dtype=torch.float64)
        return {f"top{k}": float(v) for k, v in zip_strict(self.topk, 100 * hits.mean(0))}
