"""What invokes functions besides a WebSocket API: other functions, queues, streams and schedules."""

from .asynchronous import AsynchronousInvocations
from .errors import EventError
from .lambda_api import LambdaApi

__all__ = ["AsynchronousInvocations", "EventError", "LambdaApi"]
