"""The functions of the operator's platform that the application and an owner's login may call.

Each asks `casino.sees` for the tenant whose rows it touches, unless a comment here says how it is bounded.
"""

from __future__ import annotations

from typing import Final

HELPERS: Final = frozenset(
    {
        *("sees", "has_oversight", "wire_instant"),
        *(
            "player_status",
            "play_session_life",
            "play_session_end",
            "running_play_session",
            "limit_status",
            "play_session_net",
        ),
    }
)
"""Without the rights of another role."""
DEFINERS: Final = frozenset(
    {
        *("games_of_player", "messages_of_player"),  # casino.sees the player's tenant
        "enter_player",  # the tenant and status of the player whom a token names
        "login_player",  # by the HMACs of a code and a PIN
        "end_play_sessions",  # those that are over
        *(
            "logout_player",
            "ack_reality_check",
            "set_session_limit",
            "set_limit",
            "confirm_limit",
            "exclude_player",
            "freeze_player",
        ),
        *("close_player", "erase_player", "forfeit_player_bonus", "pay_player", "decide_approval"),
        *("open_shift", "close_shift"),
        "ask_safety",  # casino.sees the player's tenant
        "note_audit",  # only adds a row, which says who did what
        *("take_kept_answer", "keep_answer", "forget_kept_answers"),  # by the caller's scope and the hash of its key
        *("begin_spin", "end_spin", "refuse_spin", "repeat_spin"),  # casino.sees the player's tenant
        *("enter_staff", "enter_api_key"),  # by the ids of a signed token, by the HMAC of a key
        *("make_stop", "lift_stop", "acknowledge_bonus"),
        *("make_webhook", "end_webhook", "replay_delivery"),
        *("begin_login", "judge_staff"),  # by a name: they answer what a login is compared with, and whether it is good
        *("refresh_login", "forget_logins"),  # by an HMAC that was checked; what is over
        "set_otp_roles",  # asks casino.has_oversight
        *("log_out", "change_password", "change_otp", "create_staff", "change_staff", "make_api_key", "delete_api_key"),
        *("create_tenant", "change_tenant", "fund_tenant", "issue_vouchers", "take_slip", "void_voucher"),
    }
)
