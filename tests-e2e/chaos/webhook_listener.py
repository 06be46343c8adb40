"""Another system of a casino's operator, which is told by webhooks while everything breaks, and breaks itself.

What was told must be what happened: nothing else, nothing less, signed, in order for each player, with one body for
each id.
"""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

import msgspec
from standardwebhooks import Webhook, WebhookVerificationError

from chaos.pairs import Pair
from e2e_testing.platform_staff import Operator

FAULTS = {"500": 0.08, "no answer": 0.05, "slow": 0.05, "redirect": 0.02}
SLOW_SECONDS = 2.0
DELIVERED_SECONDS_MAX = 60.0
POLL_SECONDS = 0.2
HAPPENED = {
    "voucher.issued": "select voucher_id as key from casino.vouchers where tenant_id = any (%(tenants)s)",
    "voucher.redeemed": """
        select voucher_id as key from casino.vouchers where tenant_id = any (%(tenants)s) and status = 'USED'
    """,
    "player.closed": """
        select player_id as key from casino.players where tenant_id = any (%(tenants)s) and status = 'CLOSED'
    """,
    "withdrawal.paid": """
        select payment_id::text as key from casino.player_payments
        where tenant_id = any (%(tenants)s) and kind in ('WITHDRAW', 'CASHOUT')
    """,
    "round.settled": """
        select player_id || ' ' || round_id as key from casino.rounds join casino.wallets using (ledger_id, wallet_id)
        where rounds.tenant_id = any (%(tenants)s) and (credits > 0 or live_debits = 0)
    """,
    "limit.changed": """
        select limit_id::text as key from casino.player_limits
        where tenant_id = any (%(tenants)s) and status = 'ACTIVE'
    """,
    "player.excluded": """
        select distinct player_id as key from casino.player_exclusions where tenant_id = any (%(tenants)s)
    """,
}
"""What must have been told, by the type of event: the key of each thing."""
KEYS = {
    "voucher.issued": lambda data: data["voucherId"],
    "voucher.redeemed": lambda data: data["voucherId"],
    "player.closed": lambda data: data["playerId"],
    "withdrawal.paid": lambda data: data["paymentId"],
    "round.settled": lambda data: f"{data['playerId']} {data['roundId']}",
    "limit.changed": lambda data: data["limitId"],
    "player.excluded": lambda data: data["playerId"],
}
MAY_BE_OVER = {"limit.changed"}
"""Things that were there when they were told, and are replaced by now."""
HURRY = """
    update casino.webhook_deliveries set next_at = now() where status = 'PENDING' and not in_flight and next_at > now()
"""
WAITING = "select count(*) as waiting from casino.webhook_deliveries where status <> 'DELIVERED'"
ORDER = """
    select event_id::text as id, player_id from casino.webhook_deliveries where player_id is not null
    order by delivery_id
"""


@dataclass(slots=True)
class WebhookListener:
    """The listener of one casino's operator."""

    pair: Pair
    seed: str
    counts: Counter[str] = field(default_factory=Counter)
    tenants: list[str] = field(default_factory=list)
    secret: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """By the id of the event, in the order of their first arrival."""
    faults: list[str] = field(default_factory=list)
    is_calm: bool = False
    _random: Random = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _server: ThreadingHTTPServer = field(init=False)

    def set_up(self, operator: Operator) -> None:
        """Listen, and ask for everything. Before the faults begin."""
        listener = self
        self._random = Random(self.seed)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                listener.take(self, body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        content = {"url": f"http://127.0.0.1:{self._server.server_port}/told", "events": sorted(KEYS)}
        made = operator.operator.post("/admin/webhooks", content, status=201)["webhook"]
        self.secret = made["secret"]
        self.tenants = [str(operator.operator.tenant_id), str(operator.agent.tenant_id)]

    def take(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        """One message: noted, then answered well or badly."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        event_id = headers["webhook-id"]
        with self._lock:
            try:
                Webhook(self.secret).verify(body, headers)
            except WebhookVerificationError as error:
                self.faults.append(f"event {event_id} is not verified: {error}")
            if self.bodies.setdefault(event_id, body) != body:
                self.faults.append(f"event {event_id} came with two bodies")
            self.counts["webhook_messages"] += 1
            fault = self._fault()
        if fault == "slow":
            time.sleep(SLOW_SECONDS)
        elif fault == "no answer":
            request.close_connection = True
            return
        request.send_response({"500": 500, "redirect": 307}.get(fault, 204))
        if fault == "redirect":
            request.send_header("location", request.path)
        request.send_header("content-length", "0")
        request.end_headers()

    def findings(self) -> list[str]:
        """What was told and did not happen, or happened and was not told. Waits for what is on its way."""
        self.is_calm = True
        database, deadline = self.pair.database, time.monotonic() + DELIVERED_SECONDS_MAX
        while (waiting := database.row(WAITING)["waiting"]) and time.monotonic() < deadline:
            database.rows(HURRY)
            time.sleep(POLL_SECONDS)
        self._server.shutdown()
        self._server.server_close()
        found = [*self.faults, *([f"{waiting} webhooks were never delivered"] if waiting else [])]
        told: dict[str, Counter[str]] = {name: Counter() for name in KEYS}
        for body in self.bodies.values():
            content = msgspec.json.decode(body)
            told[content["type"]][KEYS[content["type"]](content["data"])] += 1
        for name, statement in HAPPENED.items():
            happened = {row["key"] for row in database.rows(statement, tenants=self.tenants)}
            found += [f"{name} of {key} happened and was not told" for key in happened - told[name].keys()]
            if name not in MAY_BE_OVER:
                found += [f"{name} of {key} was told and did not happen" for key in told[name].keys() - happened]
            self.counts[f"told of {name}"] = sum(told[name].values())
        for name in ("voucher.issued", "voucher.redeemed", "player.closed", "withdrawal.paid"):
            found += [f"{name} of {key} was told as {count} events" for key, count in told[name].items() if count > 1]
        return found + self._out_of_order()

    def _out_of_order(self) -> list[str]:
        place = {event_id: number for number, event_id in enumerate(self.bodies)}
        newest: dict[str, int] = {}
        found = []
        for row in self.pair.database.rows(ORDER):
            if row["id"] in place:
                if place[row["id"]] < newest.get(row["player_id"], -1):
                    found.append(f"event {row['id']} of {row['player_id']} came before an earlier one")
                newest[row["player_id"]] = place[row["id"]]
        return found

    def _fault(self) -> str | None:
        if self.is_calm:
            return None
        drawn = self._random.random()
        for fault, share in FAULTS.items():
            drawn -= share
            if drawn < 0:
                return fault
        return None
