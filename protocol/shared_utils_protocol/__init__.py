"""Documents of a WebSocket API, made from the messages, codes and routes that its functions declare.

`api_of(module_or_handler)` collects them; `files(api)` returns AsyncAPI, JSON Schemas, TypeScript
types and examples as texts. Nothing here writes but the command in `cli`.
"""

from __future__ import annotations

from .catalogue import GATEWAY, ApiDescription, Message, SourceError
from .collect import api_of
from .files import files

__version__ = "0.2.0"
__all__ = ["GATEWAY", "ApiDescription", "Message", "SourceError", "api_of", "files"]
