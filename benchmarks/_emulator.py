"""The AWS APIs on this machine, for benchmarks that need DynamoDB.

The emulator wants older SDKs than those that are measured, so it runs in the development
environment, as a process of its own: `emulator()` starts this file there.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from _harness import fail

__all__ = ["client_of", "create_tables", "emulator"]

ROOT = Path(__file__).resolve().parents[1]
_DEVELOPMENT = ROOT / ".venv" / "dev" / "bin" / "python"


@contextlib.contextmanager
def emulator() -> Iterator[dict[str, str]]:
    """Yield the environment variables that lead an SDK to a new emulator, as the account's root."""
    python = sys.executable if find_spec("ministack") else str(_DEVELOPMENT)
    if not Path(python).exists():
        fail("the emulator is not installed: make dev")
    with subprocess.Popen(
        [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield json.loads(process.stdout.readline() or fail("the emulator did not start"))
        finally:
            process.stdin.close()


def client_of(variables: dict[str, str]) -> Any:
    """Return boto3's DynamoDB client of the emulator."""
    import boto3

    return boto3.client(
        "dynamodb",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def create_tables(client: Any, suffix: str) -> dict[str, str]:
    """Create the system's tables, and return the variables in which functions find their names.

    They have no index: no function reads one.
    """
    from shared_utils.table_names import TABLES

    variables = {}
    for table in TABLES.values():
        name, (key, kind) = f"{table.base_name}-{suffix}", table.partition_key
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": kind}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
        variables[table.variable] = name
    return variables


def main() -> None:
    """Run the emulator until standard input ends."""
    sys.path.insert(0, str(ROOT))
    from wslocal.emulator import Emulator

    with Emulator() as running:
        print(json.dumps(running.variables), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
