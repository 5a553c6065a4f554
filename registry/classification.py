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

from registry.cost import Cost, batch_norm_cost, linear_cost


def classifier_cost(channels: int, hidden: int, classes: int) -> Cost:
    """Return the cost of ClassificationHead: Table 1's 2 fc; neither rule counts its element-wise functions."""
    first = linear_cost(channels, hidden, head=True) + batch_norm_cost(hidden)
    return first + linear_cost(hidden, classes, head=True) + batch_norm_cost(classes)


@MODELS.register_module()
class ClassificationHead(BaseModule):
    """Classify the last feature map (N, C, H, W) into logits (N, classes): Table 1's avg pool and 2 fc.

    ReLU6, average pool, hard-swish, FC, BatchNorm, hard-swish, dropout, FC, BatchNorm, hard-swish: the order of the
    official code, which the paper does not spell out.
    """

    def __init__(
        self, channels: int, hidden: int = 1024, classes: int = 1000, dropout: float = 0.05, init_cfg: Any = None
    ) -> None:
        super().__init__(init_cfg=init_cfg or {"type": "Normal", "layer": "Linear", "std": 0.01})
        self.fc1, self.bn1 = nn.Linear(channels, hidden), nn.BatchNorm1d(hidden)
        self.dropout = nn.Dropout(dropout)
        self.fc2, self.bn2 = nn.Linear(hidden, classes), nn.BatchNorm1d(classes)

    def forward(self, features: Tensor | Sequence[Tensor]) -> Tensor:
        x = features if isinstance(features, Tensor) else features[-1]
        x = F.hardswish(F.relu6(x).mean((2, 3)))
        x = self.dropout(F.hardswish(self.bn1(self.fc1(x))))
        return F.hardswish(self.bn2(self.fc2(x)))


@MODELS.register_module()
class Classifier(BaseModel):
    """Train and evaluate a backbone and a head on images (N, 3, H, W) with integer labels (N,).

    forward(inputs, data_samples, mode): `tensor` gives logits, `loss` the cross-entropy, `predict` a list with each
    image's scores and label. Label smoothing is the paper's for M3 (section 5.1).
    """

    def __init__(
        self, backbone: dict, head: dict, label_smoothing: float = 0.0, data_preprocessor: Any = None,
        init_cfg: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)
        self.label_smoothing = label_smoothing

    def forward(self, inputs: Tensor, data_samples: Tensor | None = None, mode: str = "tensor") -> Any:
        logits = self.head(self.backbone(inputs))
        if mode == "tensor":
            return logits
        if data_samples is None:
            raise ValueError(f"mode {mode!r} needs labels in data_samples")
        labels = data_samples.to(logits.device)
        if mode == "loss":
            return {"loss": F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)}
        if mode == "predict":
            return [{"scores": s, "label": y} for s, y in zip(logits, labels, strict=True)]
        raise ValueError(f"unknown mode {mode!r}; known: tensor, loss, predict")


@METRICS.register_module()
class TopK(BaseMetric):
    """Compute top-k accuracies in percent over the images whose label ranks among the k highest scores."""

    default_prefix = None

    def __init__(self, topk: Sequence[int] = (1, 5), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.topk = tuple(topk)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect whether each image's label is within each k."""
        for sample in data_samples:
            order = torch.argsort(sample["scores"], descending=True, stable=True)
            rank = int((order == sample["label"]).nonzero()[0])
            self.results.append([rank < k for k in self.topk])

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Return {'top1': percent, 'top5': percent}."""
        hits = torch.tensor(results, dtype=torch.float64)
        return {f"top{k}": float(v) for k, v in zip(self.topk, 100 * hits.mean(0), strict=True)}
