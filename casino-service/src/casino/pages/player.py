"""The pages of players: redeem a voucher, log in, the lobby, history. Each reads and changes through the API."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from casino.api.errors import Refused
from casino.pages.inner import at
from casino.pages.sessions import OF_PLAYER, PLAYER_PAGE, VISITOR_PAGE
from casino.pages.visit import Pages, Visit
from casino.pages.words import duration
from casino.safety.loss_limit import SESSION_HEADER
from shared_service.http.routing import Route, Share

LAUNCHES_AT_ONCE_MAX: Final = 96
HISTORY_ROWS: Final = 25
CHECK_DUE: Final = "REALITY_CHECK_DUE"
WITH_A_DIALOG: Final = frozenset({CHECK_DUE, "BONUS_ACK_REQUIRED"})
"""Messages of a player's state that dialogs ask to acknowledge. All others are shown as they are."""
PAUSES: Final = frozenset({"EXCLUDED", "FROZEN", "PLAY_STOPPED", "SAFETY_STOP", "COOLDOWN_ACTIVE"})
"""Messages while which no bet is taken: the lobby offers no play."""


def routes(pages: Pages) -> list[Route]:
    """Every page of players, and the forms on them."""
    return [
        pages.get("/", welcome, access=VISITOR_PAGE),
        pages.get("/redeem", show_redeem, access=VISITOR_PAGE),
        pages.post("/redeem", redeem, access=VISITOR_PAGE),
        pages.get("/login", show_login, access=VISITOR_PAGE),
        pages.post("/login", log_in, access=VISITOR_PAGE),
        pages.post("/logout", log_out, access=PLAYER_PAGE),
        pages.get("/lobby", lobby, access=PLAYER_PAGE),
        pages.post("/lobby/launch", launch, share=Share(LAUNCHES_AT_ONCE_MAX), access=PLAYER_PAGE),
        pages.get("/state", live_state, access=PLAYER_PAGE, has_head=False),
        pages.post("/bonus/ack", acknowledge("/player/bonus/ack"), access=PLAYER_PAGE),
        pages.post("/reality-check/ack", acknowledge("/player/reality-check/ack"), access=PLAYER_PAGE),
        pages.get("/history", history, query=("cursor",), access=PLAYER_PAGE),
    ]


async def welcome(visit: Visit) -> Response:
    """GET /: the lobby for who is logged in, else the two ways in."""
    if visit.site.cookies.read(visit.request.scope, OF_PLAYER):
        return visit.redirect("/lobby")
    return visit.page("welcome.html")


async def show_redeem(visit: Visit) -> Response:
    """GET /redeem. A slip's QR code leads here with the code behind `#`, which no server sees."""
    return visit.page("redeem.html")


async def redeem(visit: Visit) -> Response:
    """POST /redeem: the new player's login is shown once; the same form sent again shows it again."""
    content = {"code": visit.form.get("code", ""), "pin": visit.form.get("pin", "").strip()}
    try:
        told = await visit.post("/voucher/redeem", content=content)
    except Refused as refused:
        return visit.page("redeem.html", **visit.refusal(refused))
    answer = told.content
    visit.session.changes[OF_PLAYER] = answer["token"]
    return visit.page("redeemed.html", player=answer["player"])


async def show_login(visit: Visit) -> Response:
    """GET /login."""
    return visit.page("login.html")


async def log_in(visit: Visit) -> Response:
    """POST /login."""
    content = {"loginCode": visit.form.get("login_code", ""), "pin": visit.form.get("pin", "").strip()}
    try:
        told = await visit.post("/player/login", content=content)
    except Refused as refused:
        return visit.page("login.html", **visit.refusal(refused))
    visit.session.changes[OF_PLAYER] = told.content["token"]
    return visit.redirect("/lobby")


async def log_out(visit: Visit) -> Response:
    """POST /logout."""
    await visit.post("/player/logout", content={})
    visit.session.changes[OF_PLAYER] = None
    return visit.redirect("/")


async def lobby(visit: Visit) -> Response:
    """GET /lobby."""
    return await lobby_page(visit)


async def lobby_page(visit: Visit, **values: Any) -> Response:
    """The lobby, perhaps with a refusal."""
    games = (await visit.get("/player/games"))["items"]
    return visit.page("lobby.html", games=games, state=await state_of(visit), **values)


async def launch(visit: Visit) -> Response:
    """POST /lobby/launch: leads to the game. The page follows its URL itself: a form may lead to this host only."""
    try:
        told = await visit.site.inner.call(
            visit.request, "POST", "/casino/launchGame", {"gameId": visit.form.get("game_id", "")}
        )
    except Refused as refused:
        return await lobby_page(visit, **visit.refusal(refused))
    return visit.page("launch.html", launch_url=told.content["launchUrl"])


async def live_state(visit: Visit) -> Response:
    """GET /state: what open pages ask for again and again. Amounts are text: a script's numbers are not exact.

    `action`: what player safety has to show and no page has shown yet. The page that asked shows it.
    """
    state = await state_of(visit)
    check = state["realityCheck"]
    return visit.json(
        {
            "balanceMinor": str(state["balanceMinor"]),
            "version": str(state["version"]),
            "bonusAckRequired": state["bonusAckRequired"],
            "checkIsDue": state["check_is_due"],
            "elapsed": None if check is None else duration(check["elapsedSeconds"]),
            "netMinor": None if check is None else str(check["netMinor"]),
            "messages": state["told"],
            "mayPlay": state["may_play"],
            "action": await _action(visit, state["sessionId"]),
        }
    )


async def _action(visit: Visit, session_id: str | None) -> Any:
    """The action of player safety to show now, or None. It counts as shown."""
    if session_id is None or visit.request.headers.get("sec-fetch-mode") == "navigate":  # nothing would show it
        return None
    event = {"gameKey": "pages", "eventType": "SPIN"}
    headers = {SESSION_HEADER: session_id}
    try:
        told = await visit.site.inner.call(visit.request, "POST", at("/safety/event"), event, headers=headers)
    except Refused:  # the play session has ended, or the casino is busy: the next call asks again
        return None
    return told.content["action"]


def acknowledge(path: str) -> Any:
    """A form that acknowledges something and leads to the lobby."""

    async def handler(visit: Visit) -> Response:
        await visit.post(path, content={})
        return visit.redirect("/lobby")

    return handler


async def history(visit: Visit) -> Response:
    """GET /history."""
    rounds = await visit.get("/player/history", limit=HISTORY_ROWS, cursor=visit.query.get("cursor"))
    return visit.page("history.html", rounds=rounds, is_first="cursor" not in visit.query, state=await state_of(visit))


async def state_of(visit: Visit) -> dict[str, Any]:
    """The player's state, with what pages make of it."""
    state: dict[str, Any] = (await visit.get("/player/me"))["state"]
    state["check_is_due"] = any(each["code"] == CHECK_DUE for each in state["messages"])
    state["told"] = [each for each in state["messages"] if each["code"] not in WITH_A_DIALOG]
    state["may_play"] = state["status"] == "ACTIVE" and not any(each["code"] in PAUSES for each in state["messages"])
    return state
