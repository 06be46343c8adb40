"""Random commands of a few players, executed by the wallet and by the model: every answer must be the same."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from casino.wallet.commands import BalanceRequest, Ledger, WalletCommand, WalletOutcome, token_hash
from casino_testing.model import (
    LIFE_MINUTES,
    Answer,
    Entry,
    GameSession,
    Model,
    PlayerWallet,
    ScopedId,
    id_of,
    round_of,
)
from casino_testing.random_gates import RandomGates
from casino_testing.random_limits import RandomLimits
from casino_testing.risk import let_be
from casino_testing.tenant import STAKE_MAX_MINOR, STAKE_MIN_MINOR, Tenant
from casino_testing.wallet import SIGNER, Session, Wallet, new_id

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
PLAYERS = ("1", "2", "3")
GAMES = ("1", "1", "3")
"""A player's sessions: two of the first studio, and one of another, which uses the same ids."""
GAME_CODES = {"1": "SLOTS_001", "3": "SLOTS_002"}
SESSIONS_EACH = len(GAMES)
OPENING_MINOR = 150_000
transaction_ids = st.sampled_from([f"t{number}" for number in range(16)])
round_ids = st.sampled_from(["r1", "r2", "r3", "r4"])
stakes = st.sampled_from([1_000, 1_000, 1_000, 20_000, 20_000, 100_000, 999, 100_001])
payouts = st.sampled_from([0, 1, 20_000, 150_000])
currencies = st.sampled_from([None, None, None, None, "USD", "EUR"])
session_numbers = st.integers(0, len(PLAYERS) * SESSIONS_EACH - 1)
answers = st.sampled_from(["credit", "rollback"])
minutes = st.integers(1, 20)
house_ids = st.sampled_from([f"h{number}" for number in range(8)])
house_kinds = st.sampled_from(["deposit", "withdrawal", "adjustment_in", "adjustment_out"])
house_amounts = st.sampled_from([1, 20_000, 20_000, 150_000])
players = st.sampled_from([f"p{player_id}" for player_id in PLAYERS])
limits = st.sampled_from([None, 0, 0, 41_000])
caps = st.sampled_from([None, None, 20_000])
CHANGES = [
    "session ends",
    "limits",
    "limits",
    "limits",
    "block",
    "block",
    "excluded_until",
    "cooldown_until",
    "suspend",
]
Draft = dict[str, object]
drafts = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("debit"), "transaction_id": transaction_ids, "round_id": round_ids, "amount": stakes,
         "currency": currencies}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("credit"), "transaction_id": transaction_ids, "round_id": round_ids, "amount": payouts,
         "currency": currencies, "related_id": st.none() | transaction_ids, "end_round": st.booleans()}
    ),
    st.fixed_dictionaries(
        {"kind": st.just("rollback"), "transaction_id": transaction_ids, "round_id": round_ids,
         "related_id": transaction_ids}
    ),
)  # fmt: skip


class RandomCommands(RandomGates, RandomLimits):
    """One ledger, two studios, three players with three sessions each; ids are few, so that everything collides."""

    def __init__(self, url: str, wallet: Wallet, reached: Counter[str]) -> None:
        super().__init__()
        self.reached = reached
        self.tenant = Tenant.fresh(url)
        self.wallet = wallet
        wallet.tenant, wallet.ledger = self.tenant, Ledger(wallet.database, self.tenant.ledger_id)
        self.model = Model()
        self.sessions: list[Session] = []
        self.sent: list[WalletCommand] = []
        self.delayed: list[WalletCommand] = []
        self.booking_order: list[tuple[str, ScopedId]] = []
        self.tenant.add_games_of("acme")
        wallet.set_clock(EPOCH)
        for player_id in PLAYERS:
            self.tenant.open_player(f"p{player_id}", balance_minor=OPENING_MINOR)
            self.model.wallets[f"p{player_id}"] = PlayerWallet(OPENING_MINOR)
            for game_id in GAMES:
                self.open_session(f"p{player_id}", game_id)
            self.limit(len(self.sessions) - 2, loss_limit_minor=41_000, win_cap_minor=100_000)
        self.begin_counting(EPOCH)

    def open_session(self, player_id: str, game_id: str) -> None:
        session = self.wallet.open_session(player_id, game_id=game_id)
        let_be(self.tenant, session)  # signals have a model of their own
        limits = self.model.wallets[player_id].limits
        if limits.enter_play_session(self.model.now):
            self.a_play_session_begins(player_id)
        self.sessions.append(session)
        expires_at = self.model.now + LIFE_MINUTES
        mirrored = GameSession(
            token_hash(session.token), player_id, expires_at, STAKE_MIN_MINOR, STAKE_MAX_MINOR,
            provider_id=session.provider_id, game_code=GAME_CODES[game_id], play_session=limits.play_session,
        )  # fmt: skip
        self.model.sessions[mirrored.token_hash] = mirrored

    def mirrored(self, number: int) -> GameSession:
        return self.model.sessions[token_hash(self.sessions[number].token)]

    def build(self, draft: Draft, number: int) -> WalletCommand:
        session = self.sessions[number]
        common = {
            "provider_id": session.provider_id,
            "token_hash": token_hash(session.token),
            "player_id": session.player_id,
        }
        return WalletCommand(**{**common, "request_id": new_id("request"), "signed_by": SIGNER, **draft})  # type: ignore[arg-type]

    def execute(self, *commands: WalletCommand) -> None:
        expected = [self.expect(command) for command in commands]
        self.reached.update(label(answer) for answer in expected)
        outcomes = self.wallet.run_batch(commands)
        assert [simplified(outcome) for outcome in outcomes] == expected
        self.sent += commands

    def expect(self, command: WalletCommand) -> Answer:
        known = {(player_id, entry) for player_id, wallet in self.model.wallets.items() for entry in wallet.entries}
        answer = self.model.execute(command)
        entry = (command.player_id, id_of(command))
        if entry not in known and id_of(command) in self.model.wallets[command.player_id].entries:
            self.booking_order.append(entry)
        return answer

    @rule(draft=drafts, number=session_numbers)
    def a_command_arrives(self, draft: Draft, number: int) -> None:
        self.execute(self.build(draft, number))

    @rule(transaction_id=transaction_ids, round_id=round_ids, amount=stakes, number=session_numbers)
    def a_bet_arrives_in_a_round_that_fits(self, transaction_id: str, round_id: str, amount: int, number: int) -> None:
        wallet = self.model.wallets[self.sessions[number].player_id]
        of_studio = (self.sessions[number].provider_id, round_id)
        taken = wallet.session_of_round(of_studio) not in (None, self.mirrored(number))
        round_id = f"{round_id} of {number}" if taken else round_id
        draft = {"kind": "debit", "transaction_id": transaction_id, "round_id": round_id, "amount": amount}
        self.execute(self.build(draft, number))

    @rule(
        kind=st.sampled_from(["credit", "rollback"]),
        transaction_id=transaction_ids,
        amount=payouts,
        bet=st.integers(0, 9),
    )
    def an_answer_to_a_bet_arrives(self, kind: str, transaction_id: str, amount: int, bet: int) -> None:
        booked = [entry for wallet in self.model.wallets.values() for entry in wallet.booked("debit")]
        if booked:
            command = booked[-1 - bet % len(booked)].command
            answer = {"kind": kind, "transaction_id": transaction_id, "related_id": command.transaction_id}
            answer["amount"] = amount if kind == "credit" else 0
            fields = {**answer, "currency": None, "request_id": new_id("request")}
            self.execute(msgspec.structs.replace(command, **fields))

    @rule(together=st.lists(st.tuples(drafts, session_numbers), min_size=2, max_size=6))
    def several_commands_arrive_together(self, together: list[tuple[Draft, int]]) -> None:
        """Those of one player are in turns of their own."""
        self.execute(*(self.build(draft, number) for draft, number in together))

    @rule(draft=drafts, number=session_numbers)
    def a_command_is_delayed(self, draft: Draft, number: int) -> None:
        self.delayed.append(self.build(draft, number))

    @precondition(lambda self: self.delayed)
    @rule(choice=st.randoms(use_true_random=False))
    def a_delayed_command_arrives(self, choice: object) -> None:
        number = choice.randrange(len(self.delayed))  # type: ignore[attr-defined]
        self.execute(self.delayed.pop(number))

    @precondition(lambda self: self.sent)
    @rule(back=st.integers(0, 30), with_neighbour=st.booleans())
    def a_command_arrives_again(self, back: int, with_neighbour: bool) -> None:
        again = [msgspec.structs.replace(self.sent[-1 - back % len(self.sent)], request_id=new_id("retry"))]
        if with_neighbour:
            again.append(self.sent[back % len(self.sent)])
        self.execute(*again)

    @rule(draft=drafts, number=session_numbers, way=st.sampled_from(["token_hash", "player_id", "provider_id"]))
    def a_command_names_the_wrong_session_player_or_studio(self, draft: Draft, number: int, way: str) -> None:
        command = self.build(draft, number)
        other = next(f"p{player_id}" for player_id in PLAYERS if f"p{player_id}" != command.player_id)
        studio = "main" if command.provider_id == "acme" else "acme"
        wrong = {"token_hash": "ab" * 32, "player_id": other, "provider_id": studio}[way]
        self.execute(msgspec.structs.replace(command, **{way: wrong}))

    @rule(draft=drafts, number=session_numbers)
    def a_command_of_a_draining_studio_arrives(self, draft: Draft, number: int) -> None:
        self.execute(msgspec.structs.replace(self.build(draft, number), draining=True))

    @rule(kind=house_kinds, player_id=players, entry_id=house_ids, amount=house_amounts)
    def the_house_moves_money(self, kind: str, player_id: str, entry_id: str, amount: int) -> None:
        expected = self.model.move_house_money(kind, player_id, entry_id, amount)
        row = self.tenant.sql(
            "select * from casino.move_house_money(%s, %s, %s, %s, %s, 'a reason', 'a request')",
            self.tenant.ledger_id, kind, self.wallet_id(player_id), entry_id, amount,
        )[0]  # fmt: skip
        assert (row["o_code"], row["o_replay"], row["o_balance_minor"]) == expected
        self.reached[f"{kind} {expected[0] or ('again' if expected[1] else 'ok')}"] += 1

    @rule(giver=players, taker=players, entry_id=house_ids, amount=house_amounts)
    def money_goes_from_one_player_to_another(self, giver: str, taker: str, entry_id: str, amount: int) -> None:
        if giver == taker:
            return
        expected = self.model.transfer(giver, taker, entry_id, amount)
        row = self.tenant.sql(
            "select * from casino.transfer(%s, %s, %s, %s, %s, 'a reason', 'a request')",
            self.tenant.ledger_id, self.wallet_id(giver), self.wallet_id(taker), entry_id, amount,
        )[0]  # fmt: skip
        assert (row["o_code"], row["o_replay"]) == expected
        self.reached[f"transfer {expected[0] or ('again' if expected[1] else 'ok')}"] += 1

    def wallet_id(self, player_id: str) -> int:
        return int(self.tenant.wallet(player_id)["wallet_id"])

    @rule(number=session_numbers)
    def a_balance_is_asked_for(self, number: int) -> None:
        session, mirrored = self.sessions[number], self.mirrored(number)
        question = BalanceRequest(
            provider_id=session.provider_id, token_hash=mirrored.token_hash, player_id=session.player_id
        )
        (balance,) = self.wallet.balances([question])
        if self.model.alive(mirrored):
            assert balance.balance_minor == self.model.wallets[session.player_id].balance_minor
            mirrored.expires_at = self.model.now + LIFE_MINUTES
        else:
            assert balance.code == "session_expired"

    @rule(passing=minutes)
    def time_passes(self, passing: int) -> None:
        self.model.now += passing
        self.wallet.set_clock(self.moment(self.model.now))

    def moment(self, at_minutes: int) -> datetime:
        return EPOCH + timedelta(minutes=at_minutes)

    @rule(number=session_numbers, passing=minutes, change=st.sampled_from(CHANGES), limit=limits, cap=caps)
    def circumstances_change(self, number: int, passing: int, change: str, limit: int | None, cap: int | None) -> None:
        session = self.sessions[number]
        player = self.model.wallets[session.player_id]
        if change == "session ends":
            self.replace_session(number)
        elif change == "limits":
            self.limit(number, limit, cap)
        elif change == "suspend":
            self.model.is_open = not self.model.is_open
            self.tenant.set_tenant(status="ACTIVE" if self.model.is_open else "SUSPENDED")
        elif change == "block":
            player.blocked = not player.blocked
            self.tenant.set_wallet(session.player_id, blocked_at=EPOCH if player.blocked else None)
        else:
            setattr(player, change, self.model.now + passing)
            self.tenant.set_wallet(session.player_id, **{change: self.moment(self.model.now + passing)})

    def limit(self, number: int, loss_limit_minor: int | None, win_cap_minor: int | None) -> None:
        mirrored = self.mirrored(number)
        mirrored.loss_limit_minor, mirrored.win_cap_minor = loss_limit_minor, win_cap_minor
        self.tenant.set_session(
            self.sessions[number].session_id, loss_limit_minor=loss_limit_minor, win_cap_minor=win_cap_minor
        )

    def replace_session(self, number: int) -> None:
        old = self.sessions[number]
        self.mirrored(number).closed = True
        self.tenant.set_session(old.session_id, closed_at=self.moment(self.model.now))
        player = self.model.wallets[old.player_id]
        is_stopped = not self.model.is_open or self.model.because(self.mirrored(number)) is not None
        if not (is_stopped or player.blocked or player.excluded_until > self.model.now):
            self.open_session(old.player_id, GAMES[number % SESSIONS_EACH])
            self.sessions[number] = self.sessions.pop()

    def teardown(self) -> None:
        try:
            self.compare_books()
        finally:
            self.tenant.close()

    def compare_books(self) -> None:
        assert self.tenant.differences() == []
        for player_id, wallet in self.model.wallets.items():
            assert self.tenant.balance(player_id) == wallet.balance_minor
        self.compare_gates()
        feed = self.tenant.sql(
            "select player_id, provider_id, transaction_id, state, amount_minor from casino.provider_feed"
            " where ledger_id = %s order by feed_position",
            self.tenant.ledger_id,
        )
        booked = [(row["player_id"], (row["provider_id"], row["transaction_id"])) for row in feed]
        assert booked == self.booking_order
        for row in feed:
            wallet = self.model.wallets[row["player_id"]]
            entry = wallet.entries[row["provider_id"], row["transaction_id"]]
            assert (row["state"], row["amount_minor"]) == (state_of(entry, wallet), amount_of(entry))


def label(answer: Answer) -> str:
    """The kind of an answer."""
    kind = answer.code or ("tombstone" if answer.tombstone else "ok")
    return f"replayed {kind}" if answer.replay else kind


def simplified(outcome: WalletOutcome) -> Answer:
    return Answer(
        outcome.code,
        outcome.detail,
        outcome.replay,
        outcome.balance_minor,
        outcome.code is None and outcome.tombstone,
        outcome.code is None and outcome.already_rolled_back,
        outcome.request_id,
    )


def state_of(entry: Entry, wallet: PlayerWallet) -> str:
    """Rule 11."""
    if entry.answer.code is not None:
        return "refused"
    if entry.rolled_back:
        return "rolled_back"
    settled = entry.command.kind == "debit" and wallet.booked("credit", round_id=round_of(entry.command))
    return "settled" if settled else "committed"


def amount_of(entry: Entry) -> int:
    return entry.command.amount if entry.answer.code is not None else abs(entry.moved_minor)
