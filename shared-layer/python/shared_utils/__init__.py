"""Shared utilities for the Lambda functions of a WebSocket audio system."""

__version__ = "0.1.0"
__build__ = "source"
