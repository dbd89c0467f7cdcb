"""API Gateway's WebSocket data plane on this machine, for an API deployed to any AWS API.

    async with LocalApi(emulator.client, api_id, "dev") as api:
        print(api.url)

It reads what is deployed through ordinary AWS calls and runs the functions under the official
runtime client. `CONFORMANCE.md` lists its behaviours with their sources, and what differs from AWS.
"""

from .definition import ApiError
from .limits import GatewayLimits
from .local_api import Connection, LocalApi, Post

__all__ = ["ApiError", "Connection", "GatewayLimits", "LocalApi", "Post"]
