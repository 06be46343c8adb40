"""Turns what the proxy, the players and the two databases hold into the history that `history.py` checks.

Reads tables only: functions and views of a service are what is being checked.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chaos.history import Entry, Key, Said
from chaos.round_players import Report
from e2e_testing.database import Database, Row
from e2e_testing.fault import key_id_of
from e2e_testing.signing_client import answer_verdict
from e2e_testing.upstream import Delivery

LEDGER = """
    select wallet.player_id as player, entry.transaction_id, entry.kind, entry.state, entry.balance_after_minor,
        entry.sequence_no, entry.refusal_code, coalesce(bonus.amount_minor, 0) as bonus_minor
    from casino.transactions as entry join casino.wallets as wallet using (ledger_id, wallet_id)
    left join casino.bonuses as bonus
        on bonus.ledger_id = entry.ledger_id and bonus.wallet_id = entry.wallet_id and bonus.state = 'GRANTED'
        and bonus.transaction_id = entry.transaction_id and bonus.provider_id = entry.provider_id
"""
OURS = """
    select user_id as player, transaction_id::text as transaction_id, ours.state
    from provider.wallet_transactions as ours join provider.game_sessions using (provider_session_id)
"""
NEVER_INTENDED = """
    select transaction_id, kind, state from casino.transactions
    where kind in ('debit', 'credit', 'rollback')
        and transaction_id not in (select transaction_id::text from provider.wallet_transactions)
"""
CONTRADICTED = """
    select transaction_id, kind, state, difference_code, outcome_code from provider.wallet_transactions
    where difference_code is not null or kind = 'credit' and state = 'refused'
"""
MONEY_THAT_THE_PROVIDER_KNOWS_OTHERWISE = """
    select wallet.player_id, wallet.balance_minor, coalesce(ours.net_minor, 0) as net_minor, paid_in.minor as paid_in
    from casino.wallets as wallet
    cross join lateral (
        select coalesce(sum(posting.amount_minor), 0) as minor
        from casino.postings as posting
        join casino.transactions as entry using (ledger_id, wallet_id, provider_id, transaction_id)
        where ledger_id = wallet.ledger_id and wallet_id = wallet.wallet_id and posting.account = 'wallet'
            and entry.kind not in ('debit', 'credit', 'rollback')
    ) as paid_in
    left join (
        select user_id, sum(case when kind = 'debit' then -amount_minor else amount_minor end) as net_minor
        from provider.wallet_transactions as moved join provider.game_sessions using (provider_session_id)
        where kind = 'debit' and moved.state in ('committed', 'settled')
            or kind = 'credit' and moved.state = 'committed'
        group by user_id
    ) as ours on ours.user_id = wallet.player_id
    where wallet.balance_minor <> paid_in.minor + coalesce(ours.net_minor, 0)
"""
REACHED = """
    select
        (select count(*) from casino.tombstones as stone join provider.wallet_transactions as bet
            on bet.transaction_id::text = stone.transaction_id and bet.kind = 'debit') as tombstones_of_real_bets,
        (select count(distinct transaction_id) from provider.wallet_attempts
            where code in ('operator_unreachable', 'operator_bad_response', 'operator_rejected', 'internal')
        ) as unknown_outcomes,
        (select count(*) from casino.transactions where state = 'refused') as refusals_by_state,
        (select count(*) from provider.wallet_transactions
            where kind = 'rollback' and reason not in ('script', 'probe') or kind = 'credit' and deliveries > 1
        ) as recoveries,
        (select count(*) from provider.wallet_transactions
            where kind = 'debit' and state = 'rolled_back') as bets_returned,
        (select count(*) from provider.wallet_transactions
            where kind = 'credit' and state = 'committed') as credits_paid,
        (select count(*) from provider.rounds) as rounds
"""
BETS = "select count(*) as bets from casino.transactions where kind = 'debit' and state <> 'refused'"


def ledger_of(database: Database) -> dict[Key, Entry]:
    entries = [Entry(**row) for row in database.rows(LEDGER)]
    return {(entry.player, entry.transaction_id): entry for entry in entries}


def states_of(database: Database) -> dict[Key, str]:
    return {(row["player"], row["transaction_id"]): row["state"] for row in database.rows(OURS)}


def reached(database: Database) -> Row:
    return database.row(REACHED)


UNREAD_STATUS = 401
"""Signed or not, the wallet did not read the request: it decided nothing."""


def signed_answers(deliveries: Iterable[Delivery], secrets: Mapping[str, str]) -> list[Said]:
    """What the wallet has decided and signed, in the order in which it was heard. `secrets`: by the id of their key."""
    return [said for delivery in deliveries if (said := signed_answer(delivery, secrets))]


def signed_answer(delivery: Delivery, secrets: Mapping[str, str]) -> Said | None:
    nonce, answer = delivery.nonce, delivery.answer
    if nonce is None or answer is None or answer.status == UNREAD_STATUS:
        return None
    values = [value.decode("latin-1") for name, value in answer.fields if name.lower() == b"x-casino-signature"]
    secret = secrets.get(key_id_of(delivery.call.request), "")
    if answer_verdict(values, secret=secret, nonce=nonce, status=answer.status, body=answer.body) != "good":
        return None
    asked, told = delivery.call.request.content, answer.content
    return Said(
        player=str(asked.get("userId")),
        endpoint=delivery.call.endpoint,
        transaction_id=asked.get("transactionId"),
        nonce=nonce,
        status=answer.status,
        code=told.get("code"),
        balance_minor=int(told["balance"]) if "balance" in told else None,
        body=answer.body,
        replay=answer.field("idempotent-replay") == "true",
        sent_at=delivery.sent_at,
        answered_at=delivery.answered_at,
    )


def late_debits_refused(said: Iterable[Said]) -> int:
    return len({one.key for one in said if one.endpoint == "debit" and one.code == "transaction_rolled_back"})


def refusals_of_nonces(deliveries: Sequence[Delivery]) -> Counter[str]:
    """How the wallet turned away what it would not even read."""
    codes = Counter(
        str(one.answer.content.get("code")) for one in deliveries if one.answer and one.answer.status == 401
    )
    return Counter({f"refused: {code}": count for code, count in codes.items()})


def steps_told(reports: Iterable[Report]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for report in reports:
        for step in report.content.get("steps", []):
            yield report.player, step
