"""A player at a game, as a provider sees it: a session token and the wallet calls that a provider makes with it."""

from dataclasses import dataclass
from uuid import uuid4

from e2e_testing.answers import Answer
from e2e_testing.signing_client import SigningClient

BET_MINOR = 1000

JsonObject = dict[str, object]


def new_id() -> str:
    return str(uuid4())


def chosen(fields: JsonObject) -> JsonObject:
    """Leave out what is None: a field that is not sent."""
    return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class GameSession:
    """One session of one player. Every method makes one signed call and answers what came back."""

    wallet: SigningClient
    user_id: str
    token: str
    provider_session_id: str
    opening_balance_minor: int

    def who(self) -> JsonObject:
        return {"sessionToken": self.token, "userId": self.user_id}

    def debit_content(
        self,
        amount: object = BET_MINOR,
        *,
        transaction_id: str | None = None,
        round_id: str | None = None,
        **more: object,
    ) -> JsonObject:
        fields: JsonObject = {"transactionId": transaction_id or new_id(), "roundId": round_id or new_id()}
        return chosen(self.who() | fields | {"amount": amount} | more)

    def credit_content(
        self,
        amount: object,
        *,
        round_id: str,
        related: str | None = None,
        transaction_id: str | None = None,
        **more: object,
    ) -> JsonObject:
        fields: JsonObject = {"transactionId": transaction_id or new_id(), "roundId": round_id, "amount": amount}
        return chosen(self.who() | fields | {"relatedTransactionId": related} | more)

    def rollback_content(
        self, original: str, *, round_id: str, transaction_id: str | None = None, **more: object
    ) -> JsonObject:
        fields: JsonObject = {"transactionId": transaction_id or new_id(), "roundId": round_id}
        return chosen(self.who() | fields | {"originalTransactionId": original} | more)

    def get_balance(self) -> Answer:
        return self.wallet.post("/casino/getBalance", self.who())

    def balance(self) -> int:
        return self.get_balance().must_be_ok().balance

    def post(self, endpoint: str, content: JsonObject) -> Answer:
        return self.wallet.post(f"/casino/{endpoint}", content)

    def debit(
        self,
        amount: object = BET_MINOR,
        *,
        transaction_id: str | None = None,
        round_id: str | None = None,
        **more: object,
    ) -> Answer:
        content = self.debit_content(amount, transaction_id=transaction_id, round_id=round_id, **more)
        return self.post("debit", content)

    def credit(
        self,
        amount: object,
        *,
        round_id: str,
        related: str | None = None,
        transaction_id: str | None = None,
        **more: object,
    ) -> Answer:
        content = self.credit_content(amount, round_id=round_id, related=related, transaction_id=transaction_id, **more)
        return self.post("credit", content)

    def rollback(self, original: str, *, round_id: str, transaction_id: str | None = None, **more: object) -> Answer:
        content = self.rollback_content(original, round_id=round_id, transaction_id=transaction_id, **more)
        return self.post("rollback", content)

    def bet(self, amount: int = BET_MINOR, *, round_id: str | None = None) -> "Bet":
        """An accepted debit, with its ids."""
        bet = Bet(transaction_id=new_id(), round_id=round_id or new_id(), amount=amount)
        self.debit(amount, transaction_id=bet.transaction_id, round_id=bet.round_id).must_be_ok()
        return bet


@dataclass(frozen=True, slots=True)
class Bet:
    transaction_id: str
    round_id: str
    amount: int
