"""The tables: what they are called, and what DynamoDB must know to create them.

The stack and the tests create tables from `TABLES`; functions find these, and tables of their
own, with `get_table_name`, which returns a name that DynamoDB accepts or raises.
"""

from __future__ import annotations

import os
import re
from types import MappingProxyType

from .error_codes import ApplicationError, ErrorCode

TYPE_CHECKING = False
if TYPE_CHECKING:
    Key = tuple[str, str]

__all__ = [
    "CONNECTIONS_TABLE_NAME",
    "RATE_LIMITS_TABLE_NAME",
    "SESSIONS_TABLE_NAME",
    "SESSION_LISTENERS_INDEX_NAME",
    "TABLES",
    "TRANSLATION_CACHE_TABLE_NAME",
    "TableIndex",
    "TableSchema",
    "get_table_name",
]

#: The base name of the table of sessions, for `get_table_name`.
SESSIONS_TABLE_NAME = "Sessions"
#: The base name of the table of connections, for `get_table_name`.
CONNECTIONS_TABLE_NAME = "Connections"
#: The base name of the table of rate limits, for `get_table_name`.
RATE_LIMITS_TABLE_NAME = "RateLimits"
#: The base name of the table of translations, for `get_table_name`.
TRANSLATION_CACHE_TABLE_NAME = "TranslationCache"
#: The index of the table of connections that finds a session's listeners of one language.
SESSION_LISTENERS_INDEX_NAME = "sessionId-targetLanguage-index"


class _Fixed:
    """Holds values that are set once, by `__init__`."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        if hasattr(self, name):
            raise AttributeError(f"{type(self).__name__}.{name} cannot be changed")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} cannot be deleted")


class TableIndex(_Fixed):
    """A global secondary index. A key is an attribute's name and its DynamoDB type."""

    __slots__ = ("name", "partition_key", "sort_key")

    def __init__(self, name: str, partition_key: Key, sort_key: Key) -> None:
        self.name = name
        self.partition_key = partition_key
        self.sort_key = sort_key


class TableSchema(_Fixed):
    """A table: its base name, the environment variable that holds its real name, and its keys.

    A key is an attribute's name and its DynamoDB type; no table has a sort key. The TTL
    attribute is a number of seconds since the epoch.
    """

    __slots__ = ("base_name", "indexes", "partition_key", "ttl_attribute", "variable")

    def __init__(
        self,
        base_name: str,
        variable: str,
        partition_key: Key,
        ttl_attribute: str,
        indexes: tuple[TableIndex, ...] = (),
    ) -> None:
        self.base_name = base_name
        self.variable = variable
        self.partition_key = partition_key
        self.ttl_attribute = ttl_attribute
        self.indexes = indexes


_SESSION_LISTENERS = TableIndex(
    SESSION_LISTENERS_INDEX_NAME, ("sessionId", "S"), ("targetLanguage", "S")
)

# fmt: off
#: The audio system's tables, a `TableSchema` each, by base name.
TABLES = MappingProxyType({table.base_name: table for table in (
    TableSchema(SESSIONS_TABLE_NAME, "SESSIONS_TABLE_NAME", ("sessionId", "S"), "expiresAt"),
    TableSchema(CONNECTIONS_TABLE_NAME, "CONNECTIONS_TABLE_NAME", ("connectionId", "S"), "ttl", (_SESSION_LISTENERS,)),
    TableSchema(RATE_LIMITS_TABLE_NAME, "RATE_LIMITS_TABLE_NAME", ("identifier", "S"), "expiresAt"),
    TableSchema(TRANSLATION_CACHE_TABLE_NAME, "TRANSLATION_CACHE_TABLE_NAME", ("cacheKey", "S"), "ttl"),
)})
# fmt: on

_BY_KEY = {key: row for row in TABLES.values() for key in (row.variable, row.base_name)}

# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_NAME_PATTERN = "[a-zA-Z0-9_.-]{3,255}"


def get_table_name(table_key: str, default: str | None = None) -> str:
    """Return a table's name from the environment, else `default`, else a row's of `TABLES`.

    `table_key` is the variable, such as "ROOMS_TABLE_NAME", after which ROOMS_TABLE is read; for a
    row of `TABLES` its base name ("Sessions") will do. An empty variable counts as unset. Raise
    `ApplicationError` with INTERNAL_CONFIGURATION_ERROR when there is nothing to go by, or no name
    that DynamoDB takes; the error shows the length of a text, never the text.
    """
    if not (isinstance(table_key, str) and 0 < len(table_key) < 256 and table_key.isprintable()):
        raise _misconfigured("table_key", "the name of an environment variable", table_key)
    row = _BY_KEY.get(table_key)
    variables = _variables(row.variable if row else table_key)
    name: object = next(filter(None, map(os.environ.get, variables)), default)
    if name is None and row:
        name = row.base_name
    if isinstance(name, str) and re.fullmatch(_NAME_PATTERN, name):
        return name
    wanted = "3 to 255 characters of a-z A-Z 0-9 _ . -"
    raise _misconfigured(" or ".join(variables), wanted, name)


def _variables(name: str) -> list[str]:
    shorter = name.removesuffix("_NAME")
    return [name, shorter] if shorter != name and shorter.endswith("_TABLE") else [name]


def _misconfigured(name: str, wanted: str, got: object) -> ApplicationError:
    shown = f"a text of length {len(got)}" if isinstance(got, str) else type(got).__name__
    message = f"{name} must be {wanted}, got {'nothing' if got is None else shown}"
    return ApplicationError(ErrorCode.INTERNAL_CONFIGURATION_ERROR, message)
