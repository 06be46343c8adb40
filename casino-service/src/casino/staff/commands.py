"""The commands `casino staff create`, which makes the first member of staff, `deactivate` and `reset-otp`.

They reach owners, too, whom no route changes.
"""

from __future__ import annotations

import sys
from typing import Final, get_args

import click

from casino.settings import CommandSettings
from casino.sql.schema import SCHEMA
from casino.staff.shapes import PASSWORD_MAX_CHARACTERS, PASSWORD_MIN_CHARACTERS, USERNAME, Role
from shared_service.run.command_line import connected
from shared_service.settings.values import Unfit, checked_identifier

OWNER: Final = "owner"
FITS: Final = """
    select casino.fits_tenant(%(role)s, tenant_type) from casino.tenants
    where ledger_id = %(ledger)s and tenant_id = %(tenant)s
"""
ADD: Final = """
    with added as (
        select casino.add_staff(%(ledger)s, null, %(username)s, %(hash)s, %(role)s, %(tenant)s) as staff_id
    )
    select staff_id, case when staff_id is not null then casino.note_audit(
        %(ledger)s, %(tenant)s, 'system', null, 'casino staff create', 'staff.created', staff_id, 'DONE', null,
        jsonb_build_object('username', %(username)s, 'role', %(role)s, 'tenantId', %(tenant)s, 'active', true),
        'casino staff create', null
    ) end from added
"""
DEACTIVATE: Final = """
    update casino.staff set is_active = false where ledger_id = %(ledger)s and username = %(username)s
    returning staff_id, tenant_id, casino.end_logins(ledger_id, staff_id)
"""
RESET_OTP: Final = """
    with changed as (
        update casino.staff set has_otp = false where ledger_id = %(ledger)s and username = %(username)s
        returning ledger_id, staff_id, tenant_id
    )
    update casino.staff_secrets as secrets set otp_nonce = null, otp_steps = '{}', recovery_macs = '{}'
    from changed where secrets.ledger_id = changed.ledger_id and secrets.staff_id = changed.staff_id
    returning changed.staff_id, changed.tenant_id
"""
NOTE: Final = """
    select casino.note_audit(
        %(ledger)s, %(tenant)s, 'system', null, %(command)s, %(action)s, %(staff)s, 'DONE', null, null, %(command)s,
        null
    )
"""


@click.group("staff")
def staff_commands() -> None:
    """The operator's staff."""


@staff_commands.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(get_args(Role)), required=True)
@click.option("--tenant", help="The tenant that the member of staff belongs to. An owner belongs to none.")
def create_command(name: str, role: str, tenant: str | None) -> None:
    """Make a member of staff, and print its id. NAME is 3 to 64 characters of a-z, 0-9, '.', '_' and '-'.

    The password is the first line of standard input. At a terminal it is asked for, twice.
    """
    from casino.staff.hashing import hash_now  # noqa: PLC0415 - only this command hashes

    settings = CommandSettings.from_environment()
    owner_url, values = settings.owner_url, _checked(settings.ledger_id, name, role, tenant)
    password_hash = hash_now(_password())
    with connected(owner_url, service=SCHEMA.name, role=SCHEMA.owner_role) as connection, connection.transaction():
        if tenant is not None:
            fits = connection.execute(FITS, values).fetchone()
            if fits is None:
                raise click.ClickException(f"ledger {settings.ledger_id} has no tenant {tenant}; nothing was changed")
            if not fits[0]:
                raise click.ClickException(f"a tenant of this type has no {role}; nothing was changed")
        row = connection.execute(ADD, {**values, "hash": password_hash}).fetchone()
        if row is None or row[0] is None:
            raise click.ClickException(f"the name {values['username']} is taken; nothing was changed")
    click.echo(row[0])


@staff_commands.command("deactivate")
@click.argument("name")
def deactivate_command(name: str) -> None:
    """Deactivate a member of staff: its logins and its API keys end at once."""
    _change(name, DEACTIVATE, command="casino staff deactivate", action="staff.changed")
    click.echo(f"{name.lower()} is deactivated.")


@staff_commands.command("reset-otp")
@click.argument("name")
def reset_otp_command(name: str) -> None:
    """Remove a member of staff's one-time passwords, which may then be enrolled anew. The password stays."""
    _change(name, RESET_OTP, command="casino staff reset-otp", action="staff.otp.delete")
    click.echo(f"{name.lower()} has no one-time passwords now.")


def _change(name: str, statement: str, *, command: str, action: str) -> None:
    """Run the statement for one member of staff, and write it into the audit trail. Raises ClickException."""
    settings = CommandSettings.from_environment()
    values = {"ledger": settings.ledger_id, "username": name.lower(), "command": command, "action": action}
    with (
        connected(settings.owner_url, service=SCHEMA.name, role=SCHEMA.owner_role) as connection,
        connection.transaction(),
    ):
        row = connection.execute(statement.encode(), values).fetchone()
        if row is None:
            raise click.ClickException(f"ledger {settings.ledger_id} has nobody with the name {name!a}")
        connection.execute(NOTE, {**values, "staff": row[0], "tenant": row[1]})


def _checked(ledger_id: int, name: str, role: str, tenant: str | None) -> dict[str, str | int | None]:
    """Returns the values of the new row, without the password. Raises ClickException."""
    username = name.lower()
    if not (name.isascii() and USERNAME.fullmatch(username)):
        raise click.ClickException("NAME must be 3 to 64 characters of a-z, 0-9, '.', '_' and '-'")
    if (role == OWNER) != (tenant is None):
        needs = "belongs to no tenant: leave --tenant out" if role == OWNER else "belongs to a tenant: give --tenant"
        raise click.ClickException(f"a member of staff with the role {role} {needs}")
    try:
        tenant_id = None if tenant is None else checked_identifier(tenant)
    except Unfit as unfit:
        raise click.ClickException(f"--tenant {unfit}") from None
    return {"ledger": ledger_id, "username": username, "role": role, "tenant": tenant_id}


def _password() -> str:
    """Returns the password. Raises ClickException."""
    if sys.stdin.isatty():
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not PASSWORD_MIN_CHARACTERS <= len(password) <= PASSWORD_MAX_CHARACTERS:
        raise click.ClickException(
            f"the password must have {PASSWORD_MIN_CHARACTERS} to {PASSWORD_MAX_CHARACTERS} characters"
        )
    return password
