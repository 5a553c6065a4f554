"""MicroNet for OpenMMLab: name this package in `custom_imports` and every framework finds `type='MicroNet'`."""

from .compat import prepare

prepare()

from .classification.models import ClassificationHead, Classifier, MutualClassifier, NetClassifier  # noqa: E402
from .micronet import MicroNet  # noqa: E402

__all__ = ["ClassificationHead", "Classifier", "MicroNet", "MutualClassifier", "NetClassifier"]
