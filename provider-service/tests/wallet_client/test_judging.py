"""What an answer of the wallet proves about a call."""

from __future__ import annotations

import pytest

from provider.wallet_client.judging import judge
from provider.wallet_client.messages import WalletSession, money_call
from provider.wallet_client.outcomes import BAD_RESPONSE, Retryable, Unknown
from shared_service.http.transport import Answer

SESSION = WalletSession("1", "USD", "the-token")
CALL = money_call("debit", transaction_id="t", round_id="r", amount_minor=1000, currency="USD")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0.0),
        ("3", 3.0),
        ("000003", 3.0),
        ("0000003", 0.0),
        ("999999", 5.0),
        ("-1", 0.0),
        ("1.5", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
def test_a_pause_that_the_wallet_asks_for_is_read_and_bounded(header: str | None, seconds: float) -> None:
    headers = {} if header is None else {"retry-after": header}
    answer = Answer(503, headers, (), b'{"error": "overloaded"}')
    judged = judge(CALL, SESSION, answer, "missing")
    assert isinstance(judged, Retryable)
    assert judged.after_seconds == seconds


@pytest.mark.parametrize("signature", ["good", "bad", "missing"])
def test_an_acceptance_that_cannot_be_believed_leaves_the_outcome_unknown(signature: str) -> None:
    answer = Answer(200, {}, (), b'{"transactionId": "another"}')
    judged = judge(CALL, SESSION, answer, signature)
    assert isinstance(judged, Unknown)
    assert (judged.code, judged.status) == (BAD_RESPONSE, 200)
    assert judged.why not in ("", "None")
