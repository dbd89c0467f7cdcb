"""What serves what, and with which rights: one row for each module of `functions/handlers`.

Data only: whoever draws or tests it needs no CDK.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared_utils.metrics_emitter import METRICS
from shared_utils.table_names import (
    CONNECTIONS_TABLE_NAME,
    RATE_LIMITS_TABLE_NAME,
    SESSIONS_TABLE_NAME,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COUNTED", "FUNCTION_SPECS", "HOUSEKEEPING", "FunctionSpec"]


@dataclass(frozen=True)
class FunctionSpec:
    """A handler module: the routes it serves, its size, and what it may do.

    `tables` has DynamoDB actions by table, none of them on an index: the audience stands in the
    session's item. `connections` has the verbs of the `@connections` API: POST sends, GET looks,
    DELETE closes.
    """

    module: str
    routes: tuple[str, ...]
    tables: Mapping[str, tuple[str, ...]]
    connections: tuple[str, ...] = ("POST", "DELETE")
    # Lambda gives CPU by memory, one whole vCPU at 1,769 MB, and a first answer is CPU.
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
    memory_mb: int = 512
    # The gateway waits no longer, so a function that still works then works for nobody.
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
    timeout_seconds: int = 29


HOUSEKEEPING = "housekeeping"

_GET, _PUT, _UPDATE, _DELETE = "GetItem", "PutItem", "UpdateItem", "DeleteItem"

FUNCTION_SPECS = (
    FunctionSpec(
        "connection",
        ("$connect", "$disconnect", "$default", "heartbeat", "refreshConnection"),
        {
            CONNECTIONS_TABLE_NAME: (_GET, _PUT, _UPDATE, _DELETE),
            SESSIONS_TABLE_NAME: (_GET, _UPDATE),
            RATE_LIMITS_TABLE_NAME: (_UPDATE,),
        },
    ),
    FunctionSpec(
        "session",
        (
            *("createSession", "joinSession", "endSession", "getSessionStatus"),
            *("joinAsInterpreter", "removeInterpreter"),
        ),
        {
            CONNECTIONS_TABLE_NAME: (_PUT, _UPDATE, _DELETE),
            SESSIONS_TABLE_NAME: (_GET, _PUT, _UPDATE),
            RATE_LIMITS_TABLE_NAME: (_UPDATE,),
        },
    ),
    FunctionSpec(
        "audio",
        ("sendAudio",),
        {CONNECTIONS_TABLE_NAME: (_GET, _UPDATE), SESSIONS_TABLE_NAME: (_GET, _UPDATE)},
        # A chunk goes out to hundreds of sockets: that is CPU, and one vCPU is all a Python uses.
        memory_mb=1769,
    ),
    FunctionSpec(
        "captions",
        ("sendCaption",),
        {CONNECTIONS_TABLE_NAME: (_GET, _UPDATE), SESSIONS_TABLE_NAME: (_GET, _UPDATE)},
    ),
    FunctionSpec(
        "control",
        (
            *("pauseBroadcast", "resumeBroadcast", "muteBroadcast", "unmuteBroadcast"),
            *("setVolume", "speakerStateChange"),
        ),
        {CONNECTIONS_TABLE_NAME: (_UPDATE,), SESSIONS_TABLE_NAME: (_UPDATE,)},
    ),
    FunctionSpec(
        "listener",
        ("pausePlayback", "resumePlayback", "changeLanguage"),
        {CONNECTIONS_TABLE_NAME: (_UPDATE,), SESSIONS_TABLE_NAME: (_UPDATE,)},
    ),
    FunctionSpec(
        HOUSEKEEPING,
        (),
        {CONNECTIONS_TABLE_NAME: ("Scan", _GET, _UPDATE), SESSIONS_TABLE_NAME: ("Scan", _UPDATE)},
        connections=("POST", "DELETE", "GET"),
        # It runs every minute and must be done before it runs again.
        timeout_seconds=50,
    ),
)

# What the functions count: the layer's metrics, and some of their own in its form.
COUNTED = METRICS | {
    "WrongListenerKeys": ("Count",),  # functions/handlers/_guesses.py
    "WrongInterpreterKeys": ("Count",),  # there, too
    "RefreshTokensRefused": ("Count", ("Reason",)),  # functions/handlers/connection.py
    "TokensRefused": ("Count", ("Reason",)),  # authorizer/token_authorizer.py
}
