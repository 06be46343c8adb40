"""Plays one spin: a debit, a draw, a credit, and three commits between them.

1. the round, what the draw will be made from, and the intent of the debit
2. the debit's outcome, the draw, and the intent of the payout
3. the payout's outcome

After a crash before 2 the debit is taken back, and the spin has no outcome. After 2 the outcome stands, and the outbox
sends the payout.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from provider.casinos.registry import Casino
from provider.games.slots.spin import events_of, play_round, win_minor
from provider.offers.configurations import Configuration
from provider.outbox.books import Books
from provider.outbox.calls import MoneyCall
from provider.outbox.sender import Sender
from provider.outbox.sequence import CallSequence
from provider.outbox.steps import Draw, OfSpin, Opening, Refusal
from provider.sessions.launch import OpenSession
from provider.spins.queries import StoredSpin
from provider.spins.seeds import ServerSeed
from provider.wallet_client.messages import WalletSession
from provider.wallet_client.outcomes import Accepted, Outcome, Refused
from shared_service.postgres.database import DATABASE_DOWN

KIND: Final = "spin"
SENTENCE_MAX: Final = 256
DEFAULT_SENTENCE: Final = "The wallet refused the bet."


@dataclass(frozen=True, slots=True, kw_only=True)
class SpinRequest:
    """A spin that a player asks for. `client_seed`: the spin's id unless the player has one."""

    spin_id: str
    stake_minor: int
    client_seed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Whose spin it is, in which session, and the request that asked for it."""

    casino: Casino
    session: OpenSession
    asked: SpinRequest
    request_id: str
    cooldown_ms: int = 0
    """How long no new spin begins after a refused bet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What rules a spin: the slot's configuration, the cap of the session, and the seed of its draw."""

    configuration: Configuration
    max_win_minor: int
    seed: ServerSeed


class SpinPlay:
    """One play of a spin."""

    def __init__(self, books: Books, sender: Sender, order: Order, rules: Rules) -> None:
        self._sender = sender
        self._calls = CallSequence(books, sender)
        self._session = order.session
        self._asked = order.asked
        self._request_id = order.request_id
        self._rules = rules
        self._round_id = uuid.uuid4()
        self._debit = self._call("debit", amount_minor=order.asked.stake_minor)

    async def play(self) -> StoredSpin | None:
        """Play. Returns the spin when it is paid; else the books say how it ended.

        Raises `NotRecorded` when the spin cannot begin or its debit was given up.
        """
        player_id = self._session.row.player_id
        outcome = await self._calls.send(self._debit, of_spin=OfSpin(player_id, opening=self._opening()))
        try:
            return await self._go_on(player_id, outcome)
        except DATABASE_DOWN:
            return None  # recovery ends the round

    async def _go_on(self, player_id: int, outcome: Outcome) -> StoredSpin | None:
        """Record how the debit ended. After an acceptance draw, and pay."""
        if isinstance(outcome, Accepted):
            payout, draw = self._outcome()
            paid = await self._calls.send(payout, of_spin=OfSpin(player_id, draw=draw))
            await self._calls.finish()
            return self._stored(payout, draw, paid) if isinstance(paid, Accepted) else None
        if isinstance(outcome, Refused):
            await self._calls.finish(of_spin=OfSpin(player_id, refusal=self._refusal(outcome)))
        else:
            await self._calls.finish()
            await self._sender.void_round(self._round_id, "bet_unknown")
        return None

    def _opening(self) -> Opening:
        seed = self._rules.seed
        return Opening(
            self._session.row.provider_session_id,
            self._round_id,
            KIND,
            self._request_id,
            spin_id=self._asked.spin_id,
            debit_id=self._debit.transaction_id,
            stake_minor=self._asked.stake_minor,
            seed_id=seed.seed_id,
            client_seed=self._asked.client_seed,
            counter=seed.counter,
            configuration_hash=self._rules.configuration.hash,
        )

    def _outcome(self) -> tuple[MoneyCall, Draw]:
        """Draw, and the payout of what was drawn."""
        game = self._rules.configuration.slot.game
        source = self._rules.seed.source(self._asked.client_seed)
        played = play_round(game.model, source)
        win = win_minor(played, stake_minor=self._asked.stake_minor, max_win_minor=self._rules.max_win_minor)
        payout = self._call(
            "credit", amount_minor=win, related_transaction_id=self._debit.transaction_id, end_round=True
        )
        events = msgspec.json.encode(events_of(played, win_minor=win)).decode()
        return payout, Draw(payout.provider_session_id, self._round_id, payout.transaction_id, events)

    def _stored(self, payout: MoneyCall, draw: Draw, paid: Accepted) -> StoredSpin:
        """The spin as the books now have it."""
        return StoredSpin(
            round_id=self._round_id,
            game_code=self._session.row.game_code,
            stake_minor=self._asked.stake_minor,
            configuration_hash=self._rules.configuration.hash,
            version=self._rules.configuration.slot.game.version,
            round_state="settled",
            events=draw.events,
            payout_state="committed",
            win_minor=payout.amount_minor,
            balance_minor=paid.balance_minor,
            balance_version=None if paid.head is None else paid.head.sequence,
        )

    def _refusal(self, refused: Refused) -> Refusal:
        return Refusal(
            self._session.row.provider_session_id,
            self._round_id,
            refused.status,
            refused.code,
            shown_sentence(refused.members.get("error")) or DEFAULT_SENTENCE,
            shown_sentence(refused.members.get("playerMessage")),
        )

    def _call(self, kind: Any, **members: Any) -> MoneyCall:
        row = self._session.row
        return MoneyCall(
            transaction_id=uuid.uuid4(),
            kind=kind,
            reason=KIND,
            provider_session_id=row.provider_session_id,
            round_id=self._round_id,
            wallet=WalletSession(row.user_id, row.currency, self._session.token),
            request_id=self._request_id,
            **members,
        )


def shown_sentence(text: object) -> str | None:
    """A sentence of the wallet, which is untrusted: short and printable, else None."""
    return text[:SENTENCE_MAX] if isinstance(text, str) and text.isprintable() and text else None
