"""One run of recovery without a server: for an operator, and for a cron job beside a stopped service.

Owns its own connections. It must never do what the outbox of a serving process would not do.
"""

from provider.db import create_pool
from provider.key_watch import KeyWatch
from provider.outbox.assembly import courier_and_outbox
from provider.sessions.sealing import Sealer
from provider.settings import Settings
from provider.wallet_client.client import WalletClient
from provider.wallet_client.transport import create_http_client


async def recover(settings: Settings) -> int:
    """Finish what is due; returns how many transactions are still open."""
    http = create_http_client(
        base_url=settings.casino_url,
        call_seconds=settings.call_seconds,
        connect_seconds=settings.connect_seconds,
        ca_file=settings.ca_file,
    )
    sealer = Sealer(settings.sealing_secrets)
    key_watch = KeyWatch(settings, sealer)
    wallet = WalletClient(http, key_watch.keys.casino, call_seconds=settings.call_seconds)
    async with create_pool(settings) as pool, http, key_watch.running():
        _, outbox = courier_and_outbox(settings, pool, wallet, sealer)
        return await outbox.run_until_idle(timeout_seconds=settings.lease_seconds)
