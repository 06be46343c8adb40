"""Who is there in the demo data: two operators with their agents and staff, and the studios whose games they offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from psycopg.types.json import Jsonb

from casino.ops.demo import CURRENCY
from casino.ops.demo_data.books import Books, Refused
from casino.ops.demo_data.games import STUDIOS, games_of, stated_by
from casino.ops.demo_staff import PASSWORD_HASH

OWNER: Final = (
    "select staff_id from casino.staff where ledger_id = %s and role = 'owner' and is_active order by made_at"
)
OPERATOR: Final = """
    select staff_id, username from casino.staff
    where ledger_id = %s and tenant_id = %s and role = 'operator' and is_active order by made_at
"""
TIMEZONE: Final = "select timezone from casino.tenants where tenant_id = %s"
DISTRIBUTOR: Final = ("PACIFIC", "Pacific Distribution")
SECOND: Final = ("SEABREEZE", "Seabreeze Gaming")
SECOND_TIMEZONE: Final = "America/New_York"
START_FLOAT_MINOR: Final = 500_000_000
AGENT_FLOAT_MINOR: Final = 100_000_000

Staff = tuple[str, str]
"""Id and name."""


@dataclass(slots=True)
class Agent:
    """An agent, who serves the largest players, and the cashiers of its desk."""

    tenant_id: str
    staff: Staff
    cashiers: tuple[Staff, ...]
    drawer: dict[str, int] = field(default_factory=dict)
    """What each cashier's drawer should hold, by staff id, while the shift is open."""


@dataclass(slots=True)
class Operator:
    """An operator, who decides what waits for approval, and its agents."""

    tenant_id: str
    timezone: str
    staff: Staff
    agents: tuple[Agent, ...]


def make_world(owners: Books, app: Books, tenant_id: str) -> list[Operator]:
    """Make what is not there yet: the demo's own operator gets agents, a second one comes with a distributor."""
    owner = str(owners.ask(OWNER, owners.ledger_id)[0][0])
    world = _Makers(owners, app, owner)
    world.offer_games(tenant_id)
    world.change(tenant_id, region="US-WEST")
    world.fund(tenant_id)
    first = world.operator(tenant_id, (("DOWNTOWN", "Downtown desk"), ("AIRPORT", "Airport desk")))

    world.tenant(*DISTRIBUTOR, "DISTRIBUTOR", None)
    world.offer_games(DISTRIBUTOR[0])
    world.change(DISTRIBUTOR[0], region="US-EAST", timezone=SECOND_TIMEZONE)
    world.fund(DISTRIBUTOR[0])
    world.staff("pacific", "distributor", DISTRIBUTOR[0])
    world.tenant(*SECOND, "OPERATOR", DISTRIBUTOR[0])
    world.change(SECOND[0], bonus_bp=2_500, require_approval_above_minor=20_000)
    world.fund(SECOND[0], START_FLOAT_MINOR - AGENT_FLOAT_MINOR)
    world.staff("seabreeze", "operator", SECOND[0])
    second = world.operator(SECOND[0], (("PIER", "Pier desk"), ("MALL", "Mall desk")))
    return [first, second]


@dataclass(frozen=True, slots=True)
class _Makers:
    """`owners` is a session of the owners' view, `app` one of the application."""

    owners: Books
    app: Books
    owner: str

    def offer_games(self, tenant_id: str) -> None:
        """Give a tenant the games of the studios, and note what these say that they pay back."""
        wanted = [game for studio in STUDIOS for game in games_of(studio)]
        ((refusal,),) = self.app.ask("select casino.take_games(%s, %s)", tenant_id, Jsonb(wanted))
        if refusal is not None:
            raise Refused(f"casino.take_games: {refusal}")
        for studio in STUDIOS:
            self.app.call("note_provider_games", studio, Jsonb(stated_by(studio)))

    def tenant(self, tenant_id: str, name: str, kind: str, parent_id: str | None) -> None:
        """Make a tenant with its float."""
        self.owners.must("create_tenant", tenant_id, parent_id, kind, name, CURRENCY)

    def change(self, tenant_id: str, **columns: Any) -> None:
        """Set members of a tenant."""
        self.owners.must("change_tenant", tenant_id, Jsonb(columns))

    def fund(self, tenant_id: str, amount_minor: int = START_FLOAT_MINOR) -> None:
        """Put money into a tenant's float, from its parent's or from the house's cash."""
        self.owners.must(
            "fund_tenant", tenant_id, False, amount_minor, self.owners.new_id(), "First funds", self.owners.new_id(),
            self.owner,
        )  # fmt: skip

    def staff(self, name: str, role: str, tenant_id: str) -> Staff:
        """Make a member of staff with the published password."""
        _, _, staff_id = self.owners.must("create_staff", self.owner, name, PASSWORD_HASH, role, tenant_id)
        return str(staff_id), name

    def operator(self, tenant_id: str, desks: tuple[tuple[str, str], ...]) -> Operator:
        """Returns an operator, with an agent and two cashiers for each desk."""
        staff = self.owners.ask(OPERATOR, self.owners.ledger_id, tenant_id)[0]
        ((zone,),) = self.owners.ask(TIMEZONE, tenant_id)
        return Operator(tenant_id, zone, (staff[0], staff[1]), tuple(self.agent(tenant_id, *desk) for desk in desks))

    def agent(self, operator_id: str, word: str, name: str) -> Agent:
        """Make an agent with a funded float, its member of staff, and two cashiers."""
        tenant_id, low = f"{operator_id}-{word}", word.lower()
        self.tenant(tenant_id, name, "AGENT", operator_id)
        self.fund(tenant_id, AGENT_FLOAT_MINOR)
        staff = self.staff(low, "agent", tenant_id)
        cashiers = tuple(self.staff(f"{low}-{number}", "cashier", tenant_id) for number in (1, 2))
        return Agent(tenant_id, staff, cashiers)
