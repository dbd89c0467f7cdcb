"""A construct of the AWS CDK that publishes the layer `shared_utils`; the layer's zips come with it."""

from __future__ import annotations

from .archives import LayerArgumentError
from .layer import SharedUtilsLayer

__all__ = ["LayerArgumentError", "SharedUtilsLayer"]

__version__ = "0.2.0"
