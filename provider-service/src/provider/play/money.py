"""Play for money: what a page asks for, in a game session whose wallet is the casino's."""

import uuid
from typing import Final

from starlette.responses import Response

from provider.casinos.registry import Casino, Casinos
from provider.catalogue.games import GAMES, Slot
from provider.errors import Refused
from provider.offers.configurations import Configurations
from provider.outbox.serving import MoneyCalls
from provider.play.queries import change_seeds, now_ms, rounds_of
from provider.play.views import PreviousSeed, Round, Seeds, State, round_view, state_view
from provider.sessions.launch import OpenSession
from provider.sessions.queries import GameSession, stop_session
from provider.sessions.sealing import SealBroken, Sealer
from provider.spins.answers import answer_of, wallet_refusal
from provider.spins.play import Order, SpinRequest, shown_sentence
from provider.spins.seeds import new_seed, seed_for
from provider.spins.spins import Spins
from provider.wallet_client.messages import WalletSession, balance_call
from provider.wallet_client.outcomes import BAD_RESPONSE, Accepted
from provider.wallet_client.outcomes import Refused as WalletRefused
from shared_service.postgres.database import Database

COOLDOWN_MS: Final = 2_000
"""After a refused bet no other one of the page is sent to the wallet."""


class MoneyPlay:
    """Serves the pages of game sessions."""

    def __init__(
        self,
        pool: Database,
        casinos: Casinos,
        money: MoneyCalls,
        spins: Spins,
        *,
        tokens: Sealer,
        seeds: Sealer,
    ) -> None:
        """`tokens` opens session tokens, `seeds` server seeds."""
        self._pool = pool
        self._casinos = casinos
        self._money = money
        self._spins = spins
        self._tokens = tokens
        self._seeds = seeds
        self._configurations = Configurations(pool)

    async def state(self, session: GameSession, *, request_id: str) -> State | Response:
        """The state of the game, with the wallet's balance; or what the wallet refused.

        Raises `operator_unreachable`.
        """
        casino, slot = self._casino(session), slot_of(session.game_code)
        wallet = WalletSession(session.user_id, session.currency, self._token(session))
        with self._money.running.one_of(casino):  # leaves connections for the outbox
            called = await self._money.senders.wallets.of(casino).call(balance_call(), wallet, request_id=request_id)
        outcome = called.outcome
        if isinstance(outcome, WalletRefused):
            if outcome.action.stops_session:
                await stop_session(self._pool, session.provider_session_id, outcome.code)
            members = outcome.members
            return wallet_refusal(
                outcome.status, outcome.code, shown_sentence(members.get("error")) or "The wallet refused.",
                shown_sentence(members.get("playerMessage")), request_id,
            )  # fmt: skip
        if not isinstance(outcome, Accepted):
            if outcome.code == BAD_RESPONSE:
                raise Refused(BAD_RESPONSE)
            raise Refused("operator_unreachable", sentence="The casino's wallet did not answer.")
        configuration = await self._configurations.stored(slot, session.currency, casino.terms)
        return state_view(
            session, configuration, await self.rounds(session), balance_minor=outcome.balance_minor,
            version=outcome.head.sequence if outcome.head else 0, now_ms=await now_ms(self._pool),
        )  # fmt: skip

    async def spin(
        self, session: GameSession, spin_id: str, stake_minor: int, *, request_id: str, seconds: float
    ) -> Response:
        """Play, or answer what was played under this id. Raises what `Spins.spin` raises."""
        before = await self._spins.before(session.provider_session_id, spin_id)
        client_seed = before.seed.client_seed if before.seed is not None else None
        order = Order(
            casino=self._casino(session),
            session=OpenSession(before.session or session, self._token(session)),
            asked=SpinRequest(spin_id=spin_id, stake_minor=stake_minor, client_seed=client_seed or spin_id),
            request_id=request_id,
            cooldown_ms=COOLDOWN_MS,
        )
        spin = await self._spins.spin(order, before, seconds=seconds)
        return answer_of(spin_id, spin, request_id=request_id, for_page=True)

    async def rounds(self, session: GameSession, round_id: uuid.UUID | None = None) -> list[Round]:
        """The last rounds of the player in the game, or the one with this id."""
        found = await rounds_of(self._pool, session, round_id=round_id)
        return [round_view(each, self._seeds, demo=False) for each in found]

    async def seeds(self, session: GameSession) -> Seeds:
        """The seeds of the next draw. The first look draws the server seed, so that its hash is known before use."""
        await seed_for(self._pool, self._seeds, player_id=session.player_id, game_code=session.game_code)
        return await self._changed(session, None, rotate=False)

    async def change_seeds(self, session: GameSession, client_seed: str | None, *, rotate: bool) -> Seeds:
        """Set the client seed, and reveal the server seed for a new one. Raises `session_busy` in a round."""
        await seed_for(self._pool, self._seeds, player_id=session.player_id, game_code=session.game_code)
        return await self._changed(session, client_seed, rotate=rotate)

    async def _changed(self, session: GameSession, client_seed: str | None, *, rotate: bool) -> Seeds:
        new_id, (sealed, sha256) = (uuid.uuid4(), new_seed(self._seeds)) if rotate else (None, (None, None))
        values = (session.player_id, session.game_code, client_seed, new_id, sealed, sha256)
        code, seed_hash, client, counter, old_sealed, old_hash = await change_seeds(self._pool, *values)
        if code is not None:
            raise Refused(code, sentence="A round of this game is open.")
        previous = None
        if old_sealed is not None:
            previous = PreviousSeed(server_seed=self._seeds.open(bytes(old_sealed)), server_seed_hash=old_hash)
        return Seeds(
            game_id=session.game_code, server_seed_hash=seed_hash, client_seed=client, counter=counter,
            previous=previous,
        )  # fmt: skip

    def _casino(self, session: GameSession) -> Casino:
        casino = self._casinos.of(session.casino_code)
        if casino is None:
            raise Refused("casino_draining")
        return casino

    def _token(self, session: GameSession) -> str:
        try:
            return self._tokens.open(bytes(session.token_sealed))
        except SealBroken:
            raise Refused("session_not_found") from None


def slot_of(game_code: str) -> Slot:
    """The slot with this code. Raises `game_not_found`."""
    game = GAMES.get(game_code)
    if game is None or game.slot is None:
        raise Refused("game_not_found")
    return game.slot
