"""The command line as argparse reads it; what may stand there is in `composer.command_table`."""

from __future__ import annotations

import argparse
from typing import NoReturn

from composer.command_table import COMMANDS
from composer.errors import ComposeError


class Parser(argparse.ArgumentParser):
    """An option nobody knows, or one left out, is answered in the words of all other errors."""

    def error(self, message: str) -> NoReturn:
        raise ComposeError(f"{self.prog}: {message}", remedy=f"see {self.prog} --help")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from composer.commands import version

        print(version())
        parser.exit()


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands; the name of the chosen one is `command` of its result."""
    parser = Parser(
        prog="composer",
        description="Train image-to-image translation methods that are written as graph files.",
        epilog="example: composer run method.yaml --out runs/first",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, default=argparse.SUPPRESS, help="say the version and leave"
    )
    chosen = parser.add_subparsers(title="commands", dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        description = f"{command.about[0].upper()}{command.about[1:]}."
        example = f"example: {command.example}"
        own = chosen.add_parser(name, help=command.about, description=description, epilog=example, allow_abbrev=False)
        for one in command.options:
            own.add_argument(*one.names, **one.settings)
    return parser
