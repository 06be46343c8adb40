"""A ledger with a tree of tenants and a second ledger, in which each tenant has rows in every table that can have them.

ledger 1:  JAQPOT > JAQPOT-A > JAQPOT-A-1,  JAQPOT > JAQPOT-B        ledger 2:  STRANGER
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from casino_testing.bonuses import promise
from casino_testing.service import settings_of
from casino_testing.tenant import Tenant
from casino_testing.wallet import Wallet

TREE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "JAQPOT": frozenset({"JAQPOT", "JAQPOT-A", "JAQPOT-A-1", "JAQPOT-B"}),
        "JAQPOT-A": frozenset({"JAQPOT-A", "JAQPOT-A-1"}),
        "JAQPOT-A-1": frozenset({"JAQPOT-A-1"}),
        "JAQPOT-B": frozenset({"JAQPOT-B"}),
    }
)
"""What each tenant of ledger 1 sees: itself and what is below it."""
STRANGER: Final = "STRANGER"
ONLY_AT_THE_TOP: Final = frozenset({"ledgers"})
LEDGER_OF: Final = {**dict.fromkeys(TREE, 1), STRANGER: 2}
ROWS_OF_CLIENTS: Final = """
    insert into casino.games (tenant_id, game_id, game_code, display_name, stake_min_minor, stake_max_minor)
    values (%(tenant)s, '1', 'SLOTS_001', 'Slots', 1000, 100000) on conflict do nothing;
    insert into casino.rate_buckets values (%(tenant)s, 'x', now() + interval '1 hour');
    insert into casino.access_token_fingerprints values (%(tenant)s, 'x', 'x', now() + interval '1 hour');
    insert into casino.access_token_revocations (tenant_id, player_id, issued_until) values (%(tenant)s, 'x', now());
    insert into casino.events (
        ledger_id, feed_position, wallet_id, transaction_id, tenant_id, event_type, amount_minor, currency, recorded_at
    )
    select %(ledger)s, coalesce(max(feed_position), 0) + 1, 1, 'x', %(tenant)s, 'x', 1, 'USD', now() from casino.events;
    insert into casino.game_configs values (%(ledger)s, %(tenant)s, 'SLOTS_001', now(), 0.95, 'operator');
    insert into casino.session_snapshots values (
        %(ledger)s, %(tenant)s, 'x', 'x', now(), now(), 1, 0, 0, 0, 0, 0, 'USD'
    );
    select casino.note_audit(%(ledger)s, %(tenant)s, 'staff', '1', 'x', 'x', 'x', 'DONE', null, null, 'x', null);
    insert into casino.staff (ledger_id, tenant_id, username, role, made_at)
    values (%(ledger)s, %(tenant)s, lower('staff.of.' || %(tenant)s), 'operator', now());
    insert into casino.api_keys (ledger_id, tenant_id, made_by, name, prefix, key_mac, scopes, made_at, ends_at)
    select ledger_id, tenant_id, staff_id, 'x', 'x', tenant_id::bytea, '{}', now(), now() from casino.staff
    where tenant_id = %(tenant)s;
    insert into casino.stops (ledger_id, tenant_id, scope, target, reason, made_by, made_at)
    values (%(ledger)s, %(tenant)s, 'game', 'NONE', 'x', 'x', now());
    insert into casino.webhooks (ledger_id, tenant_id, url, events, made_by, made_at)
    values (%(ledger)s, %(tenant)s, 'x', '{player.closed}', 'x', now());
    select casino.tell(%(ledger)s, %(tenant)s, 'player.closed', 'x', null, '{}');
    update casino.tenants set tenant_type = 'AGENT' where tenant_id = %(tenant)s;
    select casino.move_house_money(%(ledger)s, 'float_in', casino.float_of(%(ledger)s, %(tenant)s), 'x', 150, 'x', 'x');
    select casino.see_tenant(%(ledger)s, %(tenant)s), casino.issue_vouchers(
        %(ledger)s, %(tenant)s, 100, null, false, 'x', 'x', array[%(tenant)s], array[%(tenant)s::bytea], '{x}', '{x}',
        '{x}'
    );
"""
ROWS_OF_PLAYERS: Final = """
    select casino.begin_play_session(%(ledger)s, %(player)s);
    insert into casino.approvals (
        ledger_id, tenant_id, player_id, wallet_id, kind, amount_minor, reason, requested_by, requested_at
    ) select %(ledger)s, tenant_id, player_id, wallet_id, 'WITHDRAW', 1, 'x', 'x', now() from casino.players
    where player_id = %(player)s;
    insert into casino.player_payments (ledger_id, tenant_id, player_id, wallet_id, kind, amount_minor, staff_id, at)
    select %(ledger)s, tenant_id, player_id, wallet_id, 'DEPOSIT', 1, 'x', now() from casino.players
    where player_id = %(player)s;
    insert into casino.shifts (ledger_id, tenant_id, staff_id, opened_at, cash_minor)
    values (%(ledger)s, %(tenant)s, %(tenant)s, now(), 0);
    insert into casino.player_limits (
        ledger_id, tenant_id, player_id, kind, period, value, status, effective_at, made_at, made_by_kind, made_by
    ) values (%(ledger)s, %(tenant)s, %(player)s, 'loss', 'day', 1, 'ACTIVE', now(), now(), 'player', 'x');
    select casino.begin_counting(%(ledger)s, players) from casino.players where player_id = %(player)s;
    insert into casino.player_exclusions (
        ledger_id, tenant_id, player_id, excluded_until, made_at, made_by_kind, made_by
    ) values (%(ledger)s, %(tenant)s, %(player)s, now(), now(), 'player', 'x');
    insert into casino.safety_actions (
        ledger_id, tenant_id, player_id, wallet_id, at, action_type, score, band, reasons, evidence
    ) select %(ledger)s, tenant_id, player_id, wallet_id, now(), 'NUDGE', 35, 'ELEVATED', '{BET_ACCEL}', '{}'
    from casino.players where player_id = %(player)s;
    insert into casino.spins (
        ledger_id, tenant_id, player_id, spin_id, wallet_id, stake_minor, game_id, game_code, begun_at
    ) select %(ledger)s, tenant_id, player_id, 'x', wallet_id, 1, '1', 'SLOTS_001', now() from casino.players
    where player_id = %(player)s;
    insert into casino.spin_sessions (ledger_id, tenant_id, player_id, game_id, session_id)
    select ledger_id, tenant_id, player_id, game_id, session_id from casino.game_sessions where player_id = %(player)s;
"""


def plant(url: str) -> None:
    """Make the tree in the demo database of this superuser's URL."""
    demo = Tenant.demo(url)
    demo.add_tenant_below("A")
    demo.add_tenant_below("A-1", parent="JAQPOT-A")
    demo.add_tenant_below("B")
    demo.sql("insert into casino.tenants (tenant_id, display_name) values (%s, 'Another ledger')", STRANGER)
    demo.sql("insert into casino.ledgers (ledger_id, tenant_id) values (2, %s)", STRANGER)
    for tenant_id, ledger_id in LEDGER_OF.items():
        own = Tenant(url, tenant_id=tenant_id, ledger_id=ledger_id)
        for statement in ROWS_OF_CLIENTS.strip().split(";\n"):
            own.sql(statement, {"tenant": tenant_id, "ledger": ledger_id})
        play(own)
        for statement in ROWS_OF_PLAYERS.strip().split(";\n"):
            own.sql(statement, {"tenant": tenant_id, "ledger": ledger_id, "player": f"player of {tenant_id}"})
        own.close()
    demo.close()


def play(own: Tenant) -> None:
    """Rows of every kind that a bet can leave: a round, a payout, a tombstone, a refusal, a replay."""
    player_id = f"player of {own.tenant_id}"
    own.open_player(player_id)
    promise(own, player_id, 1)
    wallet = Wallet(own, settings_of(own))
    session = wallet.open_session(player_id)
    bet = wallet.bet(session)
    wallet.run(bet)
    wallet.accept(session.credit(500, related_id=bet.transaction_id))
    wallet.accept(session.rollback("never seen", round_id="another"))
    own.set_wallet(player_id, blocked_at="2026-01-01")
    wallet.refuse(session.debit(round_id="another"))
    own.set_wallet(player_id, blocked_at=None)
    wallet.close()
