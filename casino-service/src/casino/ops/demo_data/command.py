"""Shows how the demo data is made: a progress bar on standard error, and what there is in the end."""

from __future__ import annotations

import sys
from typing import Final

import click

from casino.api.codes import shown
from casino.ops.demo_data.run import Made, NotMade, make_demo_data
from casino.ops.demo_staff import PASSWORD
from casino.settings import Settings

LABEL: Final = "making thirty days"


def show_demo_data(settings: Settings, bets: int) -> None:
    """Make the demo data and say what there is. Raises ClickException."""
    with click.progressbar(length=bets, label=LABEL, file=sys.stderr) as bar:
        try:
            made = make_demo_data(settings, bets, lambda booked: bar.update(min(booked, bets - bar.pos)))
        except NotMade as error:
            raise click.ClickException(f"{error}; nothing was changed") from None
    for line in _lines(made):
        click.echo(line)


def _lines(made: Made) -> list[str]:
    there = f"{made.bets} bets of two operators, from {made.first} to {made.last}"
    if not made.is_new:
        return [f"The demo data is there already: {there}. Nothing was changed."]
    return [
        f"The demo data is there: {there}.",
        f"Staff has the password {PASSWORD}: owner, operator (the first operator), pacific and seabreeze (the second).",
        *(f"A player: login code {shown(code)}, PIN {pin}." for code, pin in made.logins),
    ]
