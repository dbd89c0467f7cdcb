"""Says in one line why the system cannot run on a machine, before anything is started."""

from __future__ import annotations

import errno
import importlib.util
import socket
import sys

__all__ = ["MachineError", "check_machine", "check_ports"]

# What the system needs at run time, and what for. Node is asked for where it is used: it is not
# needed while a template is in the cache.
_NEEDED = {
    "awslambdaric": "the functions' runtime",
    "boto3": "the AWS APIs",
    "ministack": "the AWS APIs",
    "websockets": "the gateway",
}


class MachineError(Exception):
    """Something that the system needs is missing here, or taken."""


def check_machine(platform: str = sys.platform) -> None:
    """Raise unless the system can run here."""
    if platform != "linux":
        raise MachineError(
            "the functions' official runtime client, awslambdaric, has wheels for Linux only: "
            "run this on Linux, or in a Linux container"
        )
    for name, purpose in _NEEDED.items():
        if importlib.util.find_spec(name) is None:
            raise MachineError(f"{name} is not installed, and is needed for {purpose}: `make dev`")


def check_ports(port: int, page_port: int) -> None:
    """Raise unless both ports can be had; 0 is always free."""
    if port and port == page_port:
        raise MachineError(f"--port and --page-port must differ, both are {port}")
    _check_port(port, "--port")
    _check_port(page_port, "--page-port")


def _check_port(port: int, option: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            why = (
                "is taken"
                if error.errno == errno.EADDRINUSE
                else f"cannot be used: {error.strerror}"
            )
            raise MachineError(f"port {port} {why}; choose another with {option}") from error
