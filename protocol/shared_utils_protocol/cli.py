"""The command: from the names of modules and handlers to files in a folder."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import shared_utils
from shared_utils.websocket_handler import Routes

from . import __version__
from .catalogue import SourceError
from .collect import api_of
from .files import files

if TYPE_CHECKING:
    import types
    from collections.abc import Iterable, Sequence

    from .catalogue import ApiDescription

__all__ = ["main"]

_NAME = "shared-utils-protocol"
# Of a failing import neither says where it is to be mended.
_LAYER = str(Path(shared_utils.__file__).parent)
_IMPORTLIB = str(Path(importlib.__file__).parent)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the documents, or with `--check` compare them; return the exit code.

    0: done; 1: `--check` found a file that differs; 2: one line on stderr says what is wrong.
    """
    options = _parser().parse_args(arguments)
    sys.path.insert(0, str(Path.cwd()))  # as with `python -m`
    try:
        wanted = files(_api(options), markdown=options.markdown)
        return _check(options.out, wanted) if options.check else _write(options.out, wanted)
    except (SourceError, OSError) as error:
        print(f"{_NAME}: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=_NAME, description=__doc__)
    add = parser.add_argument
    add(
        "sources",
        nargs="+",
        metavar="MODULE[:HANDLER]",
        help="what to read, such as chat.messages or chat.app:handler",
    )
    add("--out", required=True, type=Path, metavar="FOLDER", help="where the documents go")
    add("--markdown", action="store_true", help="write messages.md and errors.md, too")
    add("--check", action="store_true", help="write nothing; exit 1 if a file there differs")
    add("--title", default="", help="the API's title; else the handler's or the module's name")
    add("--api-version", default="0.1.0", help="the API's version (default: %(default)s)")
    add("--description", type=Path, metavar="FILE", help="a text about the API, in Markdown")
    add(
        "--server",
        action="append",
        default=[],
        metavar="[NAME=]URL",
        help="where the API is, such as prod=wss://{apiId}.execute-api.eu-west-1.amazonaws.com/prod; may be repeated",
    )
    add(
        "--subprotocol",
        action="append",
        metavar="NAME",
        help="what a client asks for, if it is not what the handlers say; may be repeated",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def _api(options: argparse.Namespace) -> ApiDescription:
    found = [_source(text) for text in options.sources]
    more: dict[str, Any] = {"version": options.api_version, "servers": _servers(options.server)}
    if options.description:
        more["description"] = options.description.read_text(encoding="utf-8")
    if options.subprotocol:
        more["subprotocols"] = tuple(options.subprotocol)
    beside = [module for module, _ in found]  # a handler's, too
    return api_of(*(source for _, source in found), beside=beside, title=options.title, **more)


# --- sources


def _source(text: str) -> tuple[types.ModuleType, object]:
    """Return the module that a text names, and what it names in it: the module itself or a handler."""
    if not re.fullmatch(r"\w+(\.\w+)*(:\w+(\.\w+)*)?", text):
        raise SourceError(f"{text!r} is no MODULE or MODULE:HANDLER, such as chat.app:handler")
    name, colon, path = text.partition(":")
    module = _module(name)
    source: Any = module
    for part in path.split(".") if colon else ():
        try:
            source = getattr(source, part)
        except AttributeError:
            raise SourceError(f"the module {name} has no {path!r}") from None
    if colon and not isinstance(source, Routes):
        kind = type(source).__name__
        raise SourceError(f"{text} is no WebSocketHandler, but of the type {kind}")
    return module, source


def _module(name: str) -> types.ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise SourceError(f"there is no module {name}: {error}") from None
        raise _failed(name, error) from None
    except (Exception, SystemExit) as error:  # whatever the module does when it is imported
        raise _failed(name, error) from None


def _failed(name: str, error: BaseException) -> SourceError:
    frames = traceback.extract_tb(error.__traceback__)[1:]  # without our own
    where = [one for one in frames if not one.filename.startswith(("<frozen ", _LAYER, _IMPORTLIB))]
    at = f" ({where[-1].filename}, line {where[-1].lineno})" if where else ""
    what = " ".join(traceback.format_exception_only(error)[-1].split())
    return SourceError(f"the module {name} cannot be imported: {what}{at}")


def _servers(texts: Iterable[str]) -> dict[str, Any]:
    """Return AsyncAPI's servers; what stands in braces in a URL is a variable."""
    servers: dict[str, Any] = {}
    for text in texts:
        found = re.fullmatch(r"(?:([A-Za-z0-9_.-]+)=)?(wss?://\S+)", text)
        parts = urlsplit(found[2]) if found else None
        if found is None or parts is None or not parts.netloc or parts.query or parts.fragment:
            raise SourceError(f"--server {text!r} is no [NAME=]URL such as prod=wss://host/prod")
        name = found[1] or "server"
        if name in servers:
            raise SourceError(f"two servers are called {name}: write --server NAME=URL")
        variables = re.findall(r"\{([A-Za-z0-9_.-]+)\}", found[2])
        servers[name] = {
            "host": parts.netloc,
            **({"pathname": parts.path} if parts.path else {}),
            "protocol": parts.scheme,
            **({"variables": {one: {} for one in variables}} if variables else {}),
        }
    return servers


# --- files


def _write(folder: Path, wanted: dict[str, str]) -> int:
    for name, text in wanted.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"{len(wanted)} files are in {folder}")
    for name in _left_over(folder, wanted):
        print(f"left over: {name} (no message is called so; remove it)")
    return 0


def _check(folder: Path, wanted: dict[str, str]) -> int:
    stale = [name for name, text in wanted.items() if _text_in(folder / name) != text]
    left_over = _left_over(folder, wanted)
    for name in stale:
        print(f"stale: {name}")
    for name in left_over:
        print(f"left over: {name}")
    return int(bool(stale or left_over))


def _text_in(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def _left_over(folder: Path, wanted: dict[str, str]) -> list[str]:
    """Return the schemas in the folder that are not written now; nothing is ever deleted."""
    found = (path.relative_to(folder).as_posix() for path in folder.glob("schemas/*.json"))
    return sorted({*found} - {*wanted})


if __name__ == "__main__":
    sys.exit(main())
