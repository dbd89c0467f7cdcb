"""The first thing that runs in the process of a Python function: Lambda's `sys.path`, then its runtime client.

`python -S -s python_start.py FOLDERS -m awslambdaric HANDLER`: `-S` and `-s` keep the interpreter's own
packages out; FOLDERS, separated by colons, are the layers' and the runtime's. It runs under any Python
from 3.8, and imports nothing that the function does not see anyway.

With the variables WSLOCAL_HOME (`127.0.0.1:PORT`) and WSLOCAL_NAMES (`.amazonaws.com,chat.example.com`; a
leading dot means all names with this end), connections to these names go there. TLS still asks for the real name.
"""

from __future__ import annotations

import os
import runpy
import sys

TYPE_CHECKING = False  # typing costs a cold start 2 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def set_path(folders: list[str]) -> None:
    """Make `sys.path` what it is on Lambda: the task root, layers, the runtime, the standard library."""
    own = [os.environ.get("LAMBDA_TASK_ROOT", os.getcwd()), *folders]
    sys.path[:] = own + [folder for folder in sys.path[1:] if folder not in own]


def add_builtins() -> None:
    """Add what `site` would add: `exit`, `quit`, `copyright`, `credits`, `license`, `help`."""
    import site

    site.setquit()
    site.setcopyright()
    site.sethelper()


def lead_home(home: str, names: str) -> None:
    """Have connections to `names` go to `home`, whatever port they ask for."""
    import socket

    to_host, _, port = home.rpartition(":")
    to_port = int(port)
    exact = {name for name in names.lower().split(",") if name and not name.startswith(".")}
    ends = tuple(name for name in names.lower().split(",") if name.startswith("."))
    find: Callable[..., Any] = socket.getaddrinfo
    connect: Callable[..., Any] = socket.socket.connect

    def leads_home(host: object) -> bool:
        if isinstance(host, (bytes, bytearray)):
            host = host.decode("ascii", "replace")
        if not isinstance(host, str):
            return False
        name = host.lower().rstrip(".")
        return name in exact or name.endswith(ends)

    def getaddrinfo(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if leads_home(host):
            host, port = to_host, to_port
        return find(host, port, *rest, **more)

    def connect_by_name(self: Any, address: Any) -> None:
        """Connect, also for those who look up no name of their own."""
        if isinstance(address, tuple) and address and leads_home(address[0]):
            address = (to_host, to_port)
        connect(self, address)

    socket.getaddrinfo = getaddrinfo
    socket.socket.connect = connect_by_name  # type: ignore[method-assign]


def main() -> None:
    """Do what `python -m MODULE ARGUMENTS`, or `python FILE ARGUMENTS`, does."""
    folders, *command = sys.argv[1:]
    set_path([folder for folder in folders.split(os.pathsep) if folder])
    add_builtins()
    if "WSLOCAL_HOME" in os.environ:
        lead_home(os.environ["WSLOCAL_HOME"], os.environ.get("WSLOCAL_NAMES", ""))
    if command[0] == "-m":
        sys.argv[:] = command[1:]
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = command
        runpy.run_path(command[0], run_name="__main__")


if __name__ == "__main__":
    main()
