"""What a game page is told. Money is decimal text in minor units, instants are integer milliseconds."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from provider.catalogue.jurisdictions import Jurisdiction
from provider.games.slots.model import X100_MAX
from provider.offers.configurations import Configuration
from provider.play.queries import DemoSession, StoredRound
from provider.sessions.queries import GameSession
from provider.sessions.sealing import SealBroken, Sealer
from provider.spins.answers import ConfigurationName

DECIMALS: Final = {
    **dict.fromkeys(("JPY", "KRW", "UGX", "VND", "CLP", "RWF", "XOF", "XAF", "ISK", "PYG", "KMF", "DJF", "GNF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("BTC", "ETH"), 8),
}
DECIMALS_DEFAULT: Final = 2
DEMO_CURRENCY: Final = "FUN"


class Draw(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`server_seed`: null until the seed was rotated."""

    server_seed_hash: str
    client_seed: str
    counter: int
    server_seed: str | None


class Round(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A round with its events. `win`, `draw` and `events` are null before the draw."""

    round_id: str
    spin_id: str
    game_id: str
    at: int
    stake: str
    win: str | None
    state: str
    balance_before: str | None
    balance_after: str | None
    events: msgspec.Raw | None
    configuration: ConfigurationName
    draw: Draw | None
    demo: bool


class Rounds(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The newest first."""

    rounds: list[Round]


class State(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`round`: the open round, or the last one. `version` grows with the balance: an older one replaces no newer."""

    casino_code: str
    game_id: str
    kind: str
    currency: str
    decimals: int
    balance: str
    version: int
    min_bet: str
    max_bet: str
    max_win: str
    max_x100: int = msgspec.field(name="maxX100")
    configuration: ConfigurationName
    jurisdiction: Jurisdiction
    server_time: int
    round: Round | None
    bets: list[Any] = []
    room: str | None = None
    curve: str | None = None
    demo: bool
    lobby_url: str | None = None
    cashier_url: str | None = None
    language: str | None = None


class Started(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`state` is null when the wallet did not answer: the token holds, ask for the state again."""

    play_token: str
    channel: str
    state: State | None


class PreviousSeed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A revealed seed."""

    server_seed: str
    server_seed_hash: str


class Seeds(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`client_seed`: null until the player has set one; then the spin's id is its client seed."""

    game_id: str
    server_seed_hash: str
    client_seed: str | None
    counter: int
    previous: PreviousSeed | None = None


def round_view(stored: StoredRound, sealer: Sealer, *, demo: bool) -> Round:
    """A round as its player sees it. A seed that still serves is not in it."""
    draw = None
    if stored.events is not None:
        secret = _opened(sealer, stored.seed_sealed) if stored.is_revealed else None
        draw = Draw(
            server_seed_hash=stored.seed_sha256,
            client_seed=stored.client_seed,
            counter=stored.counter,
            server_seed=secret,
        )
    return Round(
        round_id=str(stored.round_id),
        spin_id=stored.spin_id,
        game_id=stored.game_code,
        at=stored.at_ms,
        stake=str(stored.stake_minor),
        win=_text(stored.win_minor),
        state=stored.state,
        balance_before=_text(stored.balance_before_minor),
        balance_after=_text(stored.balance_after_minor),
        events=None if stored.events is None else msgspec.Raw(stored.events.encode()),
        configuration=ConfigurationName(stored.version, stored.configuration_hash),
        draw=draw,
        demo=demo,
    )


def state_view(
    session: GameSession | DemoSession,
    configuration: Configuration,
    rounds: Sequence[Round],
    *,
    balance_minor: int,
    version: int,
    now_ms: int,
) -> State:
    """What a page shows first, and after anything that it is not sure about."""
    limits, game = configuration.limits, configuration.slot.game
    page: dict[str, Any] = {"currency": DEMO_CURRENCY}
    max_win_minor = limits.max_win
    if isinstance(session, GameSession):
        page = {each: getattr(session, each) for each in ("currency", "lobby_url", "cashier_url", "language")}
        max_win_minor = min(max_win_minor, session.max_win_minor or max_win_minor)
    return State(
        casino_code=session.casino_code,
        game_id=game.game_id,
        kind="slot",
        decimals=DECIMALS.get(page["currency"], DECIMALS_DEFAULT),
        balance=str(balance_minor),
        version=version,
        min_bet=str(limits.min_bet),
        max_bet=str(limits.max_bet),
        max_win=str(max_win_minor),
        max_x100=X100_MAX,
        configuration=ConfigurationName(game.version, configuration.hash),
        jurisdiction=limits.jurisdiction,
        server_time=now_ms,
        round=rounds[0] if rounds else None,
        demo=isinstance(session, DemoSession),
        **page,
    )


def _text(amount_minor: int | None) -> str | None:
    return None if amount_minor is None else str(amount_minor)


def _opened(sealer: Sealer, sealed: bytes) -> str | None:
    try:
        return sealer.open(bytes(sealed))
    except SealBroken:
        return None
