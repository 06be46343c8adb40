"""What a spin answers, from what the books say: the same for the first call and for every repetition."""

from typing import Any

import msgspec
from starlette.responses import Response

from provider.errors import Refused
from provider.spins.queries import StoredSpin


class ConfigurationName(msgspec.Struct, frozen=True):
    """Which configuration ruled a round."""

    version: int
    hash: str


class SpinAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A finished spin. `balance`: the wallet's after the payout, as it was then."""

    spin_id: str
    round_id: str
    stake: int
    win: int
    balance: str
    events: msgspec.Raw
    configuration: ConfigurationName


class PlayedAnswer(SpinAnswer, frozen=True, kw_only=True, rename="camel"):
    """A spin as its page sees it. `version` grows with the balance, so a page shows no older one."""

    version: int


def answer_of(spin_id: str, spin: StoredSpin, *, request_id: str, for_page: bool = False) -> Response:
    """The answer of a spin.

    Raises `session_busy` while its outcome is unknown, `operator_unreachable` when its debit was taken back,
    `operator_rejected` when the wallet refused its payout.
    """
    if spin.refused_code is not None:
        return wallet_refusal(
            spin.refused_status or 502, spin.refused_code, spin.refused_sentence, spin.refused_message, request_id
        )
    if spin.events is not None:
        if spin.payout_state == "pending":
            raise Refused("session_busy", sentence="The payout of this spin is still being sent.")
        if spin.payout_state == "refused":
            raise Refused("operator_rejected")
        return _success(spin_id, spin, for_page=for_page)
    if spin.round_state == "open" or spin.is_unclear:
        raise Refused("session_busy")
    raise Refused("operator_unreachable", sentence="The stake of this spin was returned.")


def _success(spin_id: str, spin: StoredSpin, *, for_page: bool) -> Response:
    if spin.win_minor is None or spin.events is None:
        raise RuntimeError("a drawn spin without a payout")
    content: dict[str, Any] = {
        "spin_id": spin_id,
        "round_id": str(spin.round_id),
        "stake": spin.stake_minor,
        "win": spin.win_minor,
        "balance": str(spin.balance_minor),
        "events": msgspec.Raw(spin.events.encode()),
        "configuration": ConfigurationName(spin.version, spin.configuration_hash),
    }
    answer = PlayedAnswer(**content, version=spin.balance_version or 0) if for_page else SpinAnswer(**content)
    return Response(msgspec.json.encode(answer), media_type="application/json")


def wallet_refusal(
    status: int, code: str, sentence: str | None, player_message: str | None, request_id: str
) -> Response:
    """The wallet's refusal with its own status, code and sentence."""
    content: dict[str, Any] = {"error": sentence, "code": code, "requestId": request_id}
    if player_message is not None:
        content["playerMessage"] = player_message
    return Response(msgspec.json.encode(content), status, media_type="application/json")
