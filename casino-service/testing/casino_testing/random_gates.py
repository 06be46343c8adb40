"""Random bonuses and stops beside random commands: a part of `RandomCommands`."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from casino.wallet.commands import WalletCommand
from casino_testing.bonuses import acknowledge, forfeit, promise
from casino_testing.model import Model
from casino_testing.stops import lift, make
from casino_testing.tenant import STAKE_MIN_MINOR, Row, Tenant
from casino_testing.wallet import Session, new_id

players = st.sampled_from(["p1", "p2", "p3"])
last_answers = st.sampled_from(
    [{"kind": "credit", "amount": 0}, {"kind": "credit", "amount": 100}, {"kind": "rollback"}]
)
bonuses = st.sampled_from([1, 2_500, 40_000])
targets = st.sampled_from(
    [("all", None), ("provider", "acme"), ("game", "SLOTS_001"), ("player", "p1"), ("player", "p2")]
)
FLOAT_OF = "select casino.float_of(%s, %s) as wallet_id"


class RandomGates(RuleBasedStateMachine):
    """Promises, forfeits and acknowledges bonuses, stops play, and lets players come to their last stake."""

    reached: Counter[str]
    tenant: Tenant
    model: Model
    sessions: list[Session]

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Row] = []
        self.forfeited_minor = 0

    @abstractmethod
    def build(self, draft: dict[str, object], number: int) -> WalletCommand:
        """A command of one of the sessions."""

    @abstractmethod
    def execute(self, *commands: WalletCommand) -> None:
        """Execute commands, and compare their outcomes with the model's."""

    @abstractmethod
    def the_house_moves_money(self, kind: str, player_id: str, entry_id: str, amount: int) -> None:
        """Book a deposit or a withdrawal at both."""

    @rule(player_id=players, amount=bonuses)
    def a_bonus_is_promised(self, player_id: str, amount: int) -> None:
        """One player has at most one pending bonus."""
        wallet = self.model.wallets[player_id]
        if not wallet.pending_bonus_minor:
            wallet.pending_bonus_minor = amount
            promise(self.tenant, player_id, amount)

    @rule(player_id=players)
    def a_bonus_is_forfeited(self, player_id: str) -> None:
        """Nothing happens without one."""
        wallet = self.model.wallets[player_id]
        assert forfeit(self.tenant, player_id) == wallet.pending_bonus_minor
        self.note("bonus forfeited", wallet.pending_bonus_minor > 0)
        self.forfeited_minor += wallet.pending_bonus_minor
        wallet.pending_bonus_minor = 0

    @rule(player_id=players)
    def a_bonus_is_acknowledged(self, player_id: str) -> None:
        """Nothing happens without a granted one."""
        wallet = self.model.wallets[player_id]
        assert acknowledge(self.tenant, player_id) == wallet.bonus_ack_required
        self.note("bonus acknowledged", wallet.bonus_ack_required)
        wallet.bonus_ack_required = False

    @rule(
        number=st.integers(0, 8),
        last=st.sampled_from(["lost", "almost lost", "rolled back"]),
        acknowledged=st.booleans(),
    )
    def a_player_bets_the_last_stake(self, number: int, last: dict[str, object], acknowledged: bool) -> None:
        """The rest is withdrawn before; the bet is refused where a gate is closed."""
        player_id = self.sessions[number].player_id
        wallet = self.model.wallets[player_id]
        self.a_bonus_is_promised(player_id, 2_500)
        if wallet.balance_minor > STAKE_MIN_MINOR:
            rest = wallet.balance_minor - STAKE_MIN_MINOR
            self.the_house_moves_money("withdrawal", player_id, new_id("the rest"), rest)
        common: dict[str, object] = {"round_id": new_id("last round")}
        bet = self.build({"kind": "debit", "transaction_id": new_id("last bet"), "amount": 1_000, **common}, number)
        end = (
            {"kind": "rollback"}
            if last == "rolled back"
            else {"kind": "credit", "amount": 0 if last == "lost" else 100}
        )
        answer = {**end, "transaction_id": new_id("last answer"), "related_id": bet.transaction_id, **common}
        had_bonus = wallet.pending_bonus_minor > 0
        self.execute(bet)
        self.execute(self.build(answer, number))
        self.note("bonus granted", had_bonus and not wallet.pending_bonus_minor)
        if acknowledged:
            self.a_bonus_is_acknowledged(player_id)

    @rule(stopped=targets)
    def play_is_stopped_or_goes_on(self, stopped: tuple[str, str | None]) -> None:
        """One stop at a time, so that most bets are taken."""
        if self.made:
            assert len(lift(self.tenant, self.made.pop())) == 1
            self.model.stops.clear()
            return
        reason = new_id("reason")
        self.made.append(make(self.tenant, *stopped, reason=reason))
        self.model.stops.append((*stopped, reason))

    def note(self, what: str, happened: bool) -> None:
        """Count what happened: without it the run proves nothing."""
        if happened:
            self.reached[what] += 1

    def compare_gates(self) -> None:
        """What is pending, to be acknowledged, and forfeited."""
        for player_id, wallet in self.model.wallets.items():
            row = self.tenant.wallet(player_id)
            assert (row["pending_bonus_minor"], row["bonus_ack_required"]) == (
                wallet.pending_bonus_minor,
                wallet.bonus_ack_required,
            )
        self.tenant.sql(FLOAT_OF, self.tenant.ledger_id, self.tenant.tenant_id)
        assert self.tenant.balance(f"§tenant:{self.tenant.tenant_id}") == self.forfeited_minor
