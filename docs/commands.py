"""The directive `commands`: a program's commands with all their options, as the program itself says.

Its arguments are `MODULE:NAME`, which is a click group or a function that returns an `argparse` parser,
and how the program is called.
"""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING

import click
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from docutils.nodes import Node
    from sphinx.application import Sphinx


class ProgramCommands(SphinxDirective):
    """A section for each command: what it does, how it is called, and a table of its options."""

    required_arguments = 2
    final_argument_whitespace = True

    def run(self) -> list[Node]:
        """Return the sections, which are parsed as Markdown, as the document is."""
        place, name = self.arguments
        module, _, attribute = place.partition(":")
        program = getattr(importlib.import_module(module), attribute)
        if isinstance(program, click.Command):
            sections = "\n".join(_of_click(program, name, None))
        else:
            sections = _of_argparse(program())
        return self.parse_text_to_nodes(sections, allow_section_headings=True)


def _of_click(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    context = click.Context(command, parent, name, **command.context_settings)
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    records = [parameter.get_help_record(context) for parameter in command.get_params(context)]
    rows = [record for record in records if record and record[1]]
    yield _section(context.command_path, command.help or "", usage, rows)
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _of_click(child, child_name, context)


def _of_argparse(parser: argparse.ArgumentParser) -> str:
    shown = parser._get_formatter()
    rows = [
        (shown._format_action_invocation(action), shown._expand_help(action))
        for action in parser._actions
    ]
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    return _section(parser.prog, parser.description or "", usage, rows)


def _section(name: str, text: str, usage: str, rows: list[tuple[str, str]]) -> str:
    cells = [(f"`{names}`".replace("|", "\\|"), says.replace("|", "\\|")) for names, says in rows]
    table = ["| option | what it is |", "| --- | --- |", *(f"| {a} | {b} |" for a, b in cells)]
    parts = [f"## `{name}`", inspect.cleandoc(text), f"    {usage}", "\n".join(table), ""]
    return "\n\n".join(parts)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive with Sphinx."""
    app.add_directive("commands", ProgramCommands)
    return {"parallel_read_safe": True}
