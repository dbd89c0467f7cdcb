"""Tries the README's commands without an account: a shell whose `aws` makes everything on this machine.

When you leave the shell, the API that was made there is served, until Ctrl-C.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys

from wslocal import Emulator, LocalApi


async def serve(emulator: Emulator, api_id: str) -> None:
    """Print the API's address, and what its function writes."""
    async with LocalApi(emulator.client, api_id, "live") as api:
        api.subscribe(lambda line: print(line.text, flush=True))
        print(api.url, flush=True)
        await asyncio.Event().wait()


with Emulator() as emulator, contextlib.suppress(KeyboardInterrupt):
    # None of your own settings of AWS, so that nothing reaches an account.
    others = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    settings = emulator.variables | {"AWS_PAGER": ""}  # else version 2 shows answers page by page
    subprocess.run(["/bin/bash"], env=others | settings, check=False)
    apis = emulator.client("apigatewayv2").get_apis()["Items"]
    if not apis:
        sys.exit("no API was made in the shell")
    # Two things are other than on AWS. The function runs in this Python; and it posts to this machine: LocalApi
    # writes its address into the variable, if the function has it.
    functions = emulator.client("lambda")
    made = functions.get_function_configuration(FunctionName="notes")
    variables = made["Environment"]["Variables"] | {
        "API_GATEWAY_ENDPOINT": "https://to.be.replaced"
    }
    functions.update_function_configuration(
        FunctionName="notes",
        Runtime=f"python3.{sys.version_info.minor}",
        Environment={"Variables": variables},
    )
    asyncio.run(serve(emulator, apis[0]["ApiId"]))
