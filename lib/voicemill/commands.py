"""What the commands of several apps share: a group with a default command, options that become one argument, consent.

`voice-prep --audio …` means `voice-prep prepare …`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import click

HELP = ("-h", "--help")
Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Any], Any]
"""A decorator such as `click.option(…)`."""
consent_option = click.option(
    "--require-consent",
    type=click.Choice(["any", "recorded"]),
    is_flag=False,
    flag_value="any",
    help="Refuse a voice without the speaker's consent, written or recorded (any), or without a recorded one.",
)


def with_options(*options: Option) -> Callable[[Command], Command]:
    """Add options to a command, in their order."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def in_one(name: str, make: Callable[..., Any], *options: Option) -> Option:
    """Add options to a command, which gets their values as one argument.

    Args:
        name: of the argument.
        make: gets the values by the options' names, when the command is called.
        options: in their order.
    """

    def collected() -> None:
        """A command, on which click keeps its options."""

    with_options(*options)(collected)
    parts = [str(option.name) for option in getattr(collected, "__click_params__", ())]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def gather(**values: Any) -> Any:
            made = make(**{part: values.pop(part) for part in parts})
            return command(**values, **{name: made})

        return with_options(*options)(gather)

    return add


class WithDefault(click.Group):
    """A click group that runs its default command if no command is named.

    `--help` shows the options of the default command and the other commands.
    """

    def __init__(self, name: str, default: click.Command) -> None:
        super().__init__(
            name=name,
            help=f"{inspect.cleandoc(default.help or '')}\n\nIf no command is given, `{default.name}` runs.",
            epilog=default.epilog,
            context_settings=default.context_settings,
            subcommand_metavar="[COMMAND] [OPTIONS]...",
        )
        self._default = default
        self.add_command(default)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert the default command's name if the first argument is an option."""
        if not args or (args[0].startswith("-") and args[0] not in HELP):
            args = [str(self._default.name), *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options of the default command, then the commands."""
        with click.Context(self._default, parent=ctx, info_name=self._default.name) as inner:
            self._default.format_options(inner, formatter)
        self.format_commands(ctx, formatter)
