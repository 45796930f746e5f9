"""An app of several commands, one of which needs no name: `voice-prep --audio …` means `voice-prep prepare …`."""

from __future__ import annotations

import inspect

import click

HELP = ("-h", "--help")


class WithDefault(click.Group):
    """A group that takes a call without a command's name for its default command.

    `--help` shows the options of the default command as well as the other commands.
    """

    def __init__(self, name: str, default: click.Command) -> None:
        super().__init__(
            name=name,
            help=f"{inspect.cleandoc(default.help or '')}\n\nWithout a command's name: {default.name}.",
            epilog=default.epilog,
            context_settings=default.context_settings,
            subcommand_metavar="[COMMAND] [OPTIONS]...",
        )
        self._default = default
        self.add_command(default)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command's name before options that stand alone."""
        if not args or (args[0].startswith("-") and args[0] not in HELP):
            args = [str(self._default.name), *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Options of the default command, then the commands."""
        with click.Context(self._default, parent=ctx, info_name=self._default.name) as inner:
            self._default.format_options(inner, formatter)
        self.format_commands(ctx, formatter)
