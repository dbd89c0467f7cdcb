"""The codes of a helpline."""

from shared_utils import ErrorCodeBase


class HelpCode(ErrorCodeBase):
    LINE_BUSY = "LINE_BUSY", 409, "The room is full | try another", False
    LINE_CLOSED = "LINE_CLOSED", 503, "Nobody is here now", True
