"""What staff does in the demo data: shifts, vouchers, deposits, pay-outs, and what waits for an operator's decision."""

from __future__ import annotations

import os
from typing import Any, Final

from casino.api import codes
from casino.ops.demo_data.books import Books, Refused
from casino.ops.demo_data.people import Person
from casino.ops.demo_data.plan import Hours
from casino.ops.demo_data.world import Agent, Operator, Staff

CASH_MINOR: Final = 200_000
MISCOUNTED: Final = (-500, -100, 200)
UNSOLD_MINOR: Final = (2_000, 3_000, 5_000)
UNSOLD_DAYS: Final = (2, 5)
LOW_FLOAT_MINOR: Final = 20_000_000
TOP_UP_MINOR: Final = 60_000_000
FLOAT: Final = "select balance_minor from casino.wallets where ledger_id = %s and player_id = %s"
WAITS: Final = (
    "select approval_id from casino.approvals where ledger_id = %s and status = 'PENDING' order by requested_at"
)
CANNOT_BE_PAID: Final = ("INSUFFICIENT_FUNDS", "PLAYER_NOT_ACTIVE", "OPEN_BETS")
"""Why an approval is rejected: the player played on with what was asked for, or left."""
EXPIRES: Final = "select casino.clock() + make_interval(days => %s)"


class Desk:
    """The desks of one operator's agents."""

    def __init__(self, books: Books, operator: Operator, pepper: bytes) -> None:
        self._books = books
        self._operator = operator
        self._pepper = pepper

    def open(self, hours: Hours) -> None:
        """Open the shifts of a day, and print some vouchers that nobody buys yet."""
        books = self._books
        books.at(max(hours.opens, books.now))
        with books.transaction():
            for agent in self._operator.agents:
                for cashier in agent.cashiers:
                    books.wait(books.random.uniform(5, 300))
                    _, shift_id, _ = books.must("open_shift", cashier[0], CASH_MINOR)
                    agent.drawer[cashier[0]] = CASH_MINOR
                    books.audit(cashier, "shift.opened", str(shift_id), agent.tenant_id, cashMinor=CASH_MINOR)
                if books.random.random() < 0.6:
                    self._print_unsold(agent)

    def close(self, hours: Hours) -> None:
        """Decide what waits, and close the shifts. Now and then a drawer holds a little more or less than it should."""
        books = self._books
        books.at(max(hours.closes, books.now))
        with books.transaction():
            for (approval_id,) in books.ask(WAITS, books.ledger_id):
                self._decide(approval_id)
            for agent in self._operator.agents:
                for cashier, expected in agent.drawer.items():
                    wrong = books.random.choice(MISCOUNTED) if books.random.random() < 0.08 else 0
                    counted = max(0, expected + wrong)
                    shift_id = books.call("close_shift", cashier, counted)[1]
                    name = next(name for staff_id, name in agent.cashiers if staff_id == cashier)
                    books.audit((cashier, name), "shift.closed", str(shift_id), agent.tenant_id, countedMinor=counted)
                agent.drawer.clear()

    def sell_voucher(self, person: Person) -> None:
        """Sell a voucher, which the new player redeems at once."""
        books, cashier = self._books, self._books.random.choice(person.agent.cashiers)
        code, pin, _ = self._issue(person.agent, cashier, books.random.choice(person.habit.voucher_minor), None)
        books.wait(books.random.uniform(20, 90))
        found = (
            codes.code_mac(self._pepper, codes.VOUCHER, code), codes.pin_mac(self._pepper, codes.VOUCHER, code, pin),
        )  # fmt: skip
        books.must("try_voucher", *found, person.address)
        _, _, _, balance, *_ = books.must(
            "redeem_voucher", *found, person.player_id, *self.login_of(person), books.new_id()
        )
        person.balance_minor = balance
        person.is_member = True

    def login_of(self, person: Person) -> tuple[bytes, bytes]:
        """Returns the HMACs of a player's login code and PIN."""
        code, pin = person.login_code, person.pin
        return codes.code_mac(self._pepper, codes.LOGIN, code), codes.pin_mac(self._pepper, codes.LOGIN, code, pin)

    def deposit(self, person: Person) -> bool:
        """Let a player bring more money; returns whether it was taken."""
        self._fill_float(person.agent)
        amount = self._books.random.choice(person.habit.deposit_minor)
        return self._pay(person, "DEPOSIT", amount, "Cash at the desk") is not None

    def withdraw(self, person: Person, amount_minor: int) -> None:
        """Pay a part of a player's balance out, or ask for an approval."""
        self._pay(person, "WITHDRAW", amount_minor, "Asked for at the desk")

    def cash_out(self, person: Person) -> None:
        """Pay everything out: the account closes, at once or when the approval comes."""
        if self._pay(person, "CASHOUT", 0, "Leaves") is not None:
            person.is_closed = True

    def make_good(self, person: Person) -> None:
        """Book a small adjustment in the player's favour."""
        self._pay(person, "ADJUST", 500, "A machine stood still")

    def _pay(self, person: Person, kind: str, amount_minor: int, reason: str) -> int | None:
        """Returns the balance afterwards, or None if the payment was refused or waits for an approval."""
        books, agent = self._books, person.agent
        staff = agent.staff if person.habit.name == "whale" else books.random.choice(agent.cashiers)
        paid = books.call("pay_player", person.player_id, kind, amount_minor, reason, books.new_id(), staff[0])
        code, approval_id, payment_id, amount, balance, *_ = paid
        if code is not None:
            return None
        action = f"player.{kind.lower()}" + ("" if approval_id is None else "_requested")
        told: dict[str, Any] = {"amountMinor": amount, "reason": reason, "id": approval_id or str(payment_id)}
        books.audit(staff, action, person.player_id, agent.tenant_id, **told)
        if approval_id is not None:
            return None
        if kind != "ADJUST":
            self._move_cash(agent, staff, amount if kind == "DEPOSIT" else -amount)
        person.balance_minor = balance
        return int(balance)

    def _decide(self, approval_id: str) -> None:
        books = self._books
        approves, staff = books.random.random() < 0.9, self._operator.staff
        books.wait(books.random.uniform(20, 200))
        decided = books.call("decide_approval", approval_id, approves, staff[0], books.new_id())
        code, tenant_id, player_id, kind, amount = decided
        if code in CANNOT_BE_PAID:
            approves = False
            _, tenant_id, player_id, kind, amount = books.must(
                "decide_approval", approval_id, approves, staff[0], books.new_id()
            )
        elif code is not None:
            raise Refused(f"casino.decide_approval: {code}")
        action = "approval.approved" if approves else "approval.rejected"
        books.audit(staff, action, approval_id, tenant_id, playerId=player_id, kind=kind, amountMinor=amount)

    def _print_unsold(self, agent: Agent) -> None:
        """Issue vouchers to lie at the desk: most expire, some are made void."""
        books, cashier = self._books, agent.cashiers[0]
        for _ in range(books.random.randint(1, 3)):
            self._issue(agent, cashier, books.random.choice(UNSOLD_MINOR), books.random.randint(*UNSOLD_DAYS))
        if books.random.random() < 0.3:
            amount = books.random.choice(UNSOLD_MINOR)
            voucher_id = self._issue(agent, cashier, amount, None, voucher_id=books.new_id())[2]
            books.wait(60)
            refusal = books.call("void_voucher", voucher_id, cashier[0], books.new_id())
            if refusal != (None,):
                raise Refused(f"casino.void_voucher: {refusal[0]}")
            self._move_cash(agent, cashier, -amount)
            books.audit(cashier, "voucher.voided", voucher_id, agent.tenant_id)

    def _issue(
        self, agent: Agent, cashier: Staff, amount_minor: int, days: int | None, *, voucher_id: str | None = None
    ) -> tuple[str, str, str]:
        """Returns code, PIN and id of a new voucher. Nobody has the token of its slip."""
        self._fill_float(agent)
        books, voucher_id = self._books, voucher_id or self._books.new_id()
        code = "".join(books.random.choice(codes.ALPHABET) for _ in range(codes.VOUCHER_CODE_CHARACTERS))
        pin = f"{books.random.randrange(10**codes.PIN_DIGITS):0{codes.PIN_DIGITS}}"
        expires_at = None
        if days is not None:
            ((expires_at,),) = books.ask(EXPIRES, days)
        macs = [
            [codes.code_mac(self._pepper, codes.VOUCHER, code)],
            [codes.pin_mac(self._pepper, codes.VOUCHER, code, pin)],
        ]
        _, bonus, balance, *_ = books.must(
            "issue_vouchers", agent.tenant_id, amount_minor, expires_at, False, cashier[0], books.new_id(),
            [voucher_id], *macs, [os.urandom(32)], [os.urandom(32)],
        )  # fmt: skip
        self._move_cash(agent, cashier, amount_minor)
        told = {"balanceMinor": balance, "count": 1, "amountMinor": amount_minor, "bonusMinor": bonus}
        books.audit(cashier, "vouchers.issued", voucher_id, agent.tenant_id, **told)
        return code, pin, voucher_id

    def _move_cash(self, agent: Agent, staff: Staff, amount_minor: int) -> None:
        if staff[0] in agent.drawer:
            agent.drawer[staff[0]] += amount_minor

    def _fill_float(self, agent: Agent) -> None:
        """Let the operator fund an agent whose float runs low."""
        books, staff = self._books, self._operator.staff
        ((balance,),) = books.ask(FLOAT, books.ledger_id, f"§tenant:{agent.tenant_id}")
        if balance >= LOW_FLOAT_MINOR:
            return
        transfer = (agent.tenant_id, False, TOP_UP_MINOR, books.new_id(), "Float runs low", books.new_id(), staff[0])
        books.must("fund_tenant", *transfer)
        books.audit(staff, "tenant.funded", agent.tenant_id, agent.tenant_id, amountMinor=TOP_UP_MINOR)
