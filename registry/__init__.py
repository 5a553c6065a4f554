"""MicroNet for OpenMMLab: name this package in `custom_imports` and every framework finds `type='MicroNet'`."""

from registry.compat import prepare

prepare()

from registry.classification.models import ClassificationHead, Classifier, MutualClassifier, NetClassifier  # noqa: E402
from registry.micronet import MicroNet  # noqa: E402

__all__ = ["ClassificationHead", "Classifier", "MicroNet", "MutualClassifier", "NetClassifier"]
