"""Makes processes suffer by the plan's schedule: kills, freezes, a Postgres that goes down, a clock that is stepped."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from chaos.chaos_stack import ChaosStack
from chaos.plan import Plan, ProcessFault
from chaos.round_players import casino_of
from e2e_testing import postgres_faults
from e2e_testing.database import Database
from e2e_testing.service_process import ServiceProcess
from local_stack.postgres import Postgres
from shared_service_testing.waiting import wait_until

START_SECONDS_MAX = 30.0
POLL_SECONDS = 0.05
EXCLUDED_SECONDS = 2


@dataclass(slots=True)
class ProcessFaults:
    """Runs the schedule once; `counts` says what really happened."""

    plan: Plan
    stack: ChaosStack
    players: list[str]
    over: threading.Event
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        started = time.monotonic()
        for fault in self.plan.schedule:
            if self.over.wait(max(0.0, started + fault.at_seconds - time.monotonic())):
                return
            try:
                MENU[fault.kind](self, fault)
            except Exception as error:
                self.failures.append(f"{fault.kind}: {type(error).__name__}: {error}")
        set_clocks(self.stack.clock_files, 0)

    def _pick(self, services: list[ServiceProcess], fault: ProcessFault) -> ServiceProcess:
        return services[fault.which % len(services)]

    def kill_casino(self, fault: ProcessFault) -> None:
        self._kill(fault, self._pick(self.stack.casinos, fault))

    def kill_provider(self, fault: ProcessFault) -> None:
        self._kill(fault, self._pick(self.stack.providers, fault))

    def kill_both(self, fault: ProcessFault) -> None:
        """One of each, or with an even number everything at once."""
        everything = fault.which % 2 == 0
        casinos = self.stack.casinos if everything else [self._pick(self.stack.casinos, fault)]
        providers = self.stack.providers if everything else [self._pick(self.stack.providers, fault)]
        self._kill(fault, *providers, *casinos)

    def _kill(self, fault: ProcessFault, *victims: ServiceProcess) -> None:
        for victim in victims:
            self.stack.kill(victim, down_seconds=fault.size)
        self.counts[fault.kind] += 1

    def freeze_casino(self, fault: ProcessFault) -> None:
        self._freeze(fault, self._pick(self.stack.casinos, fault))

    def freeze_provider(self, fault: ProcessFault) -> None:
        self._freeze(fault, self._pick(self.stack.providers, fault))

    def _freeze(self, fault: ProcessFault, victim: ServiceProcess) -> None:
        if victim.process is None:
            return
        process = victim.process
        process.send_signal(signal.SIGSTOP)
        try:
            self.over.wait(fault.size)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
        self.counts[fault.kind] += 1

    def freeze_postgres(self, fault: ProcessFault) -> None:
        with postgres_faults.frozen(self.stack.postgres):
            self.over.wait(fault.size)
        self.counts[fault.kind] += 1

    def stop_postgres_immediately(self, fault: ProcessFault) -> None:
        self._take_postgres_down(fault, postgres_faults.stop_immediately)

    def kill_postgres(self, fault: ProcessFault) -> None:
        self._take_postgres_down(fault, postgres_faults.kill_9)

    def _take_postgres_down(self, fault: ProcessFault, how: Callable[[Postgres], None]) -> None:
        """The supervisor brings it back; the next fault waits for that."""
        self.stack.take_postgres_down(how, down_seconds=fault.size)
        wait_for_postgres(self.stack)
        self.counts[fault.kind] += 1

    def kill_one_backend(self, fault: ProcessFault) -> None:
        victim = postgres_faults.kill_one_backend(
            self.stack.postgres, choose=lambda pids: sorted(pids)[fault.which % len(pids)]
        )
        self.counts[fault.kind] += victim is not None

    def break_connections(self, fault: ProcessFault) -> None:
        for pair in self.stack.pairs:
            self._sql(
                pair.database,
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid() and pid %% 2 = %(half)s",
                half=fault.which % 2,
            )
        self.counts[fault.kind] += 1

    def exclude_a_player(self, fault: ProcessFault) -> None:
        """Exclude a player for a moment: the wallet refuses bets by state and records the refusals."""
        number = fault.which % len(self.players)
        self._sql(
            self.stack.pair(casino_of(number)).database,
            "update casino.wallets set excluded_until = clock_timestamp() + make_interval(secs => %(seconds)s)"
            " where player_id = %(player)s",
            seconds=EXCLUDED_SECONDS,
            player=self.players[number],
        )
        self.counts[fault.kind] += 1

    def step_clock(self, fault: ProcessFault) -> None:
        """One service's clock goes wrong; that of the other service is put right."""
        if self.stack.clock_files:
            set_clocks(self.stack.clock_files, 0)
            set_clocks([self.stack.clock_files[fault.which % len(self.stack.clock_files)]], int(fault.size))
            self.counts[fault.kind] += 1

    def power_cut(self, fault: ProcessFault) -> None:
        """Everything dies at once: both services, the database, and what was on its way."""
        self._kill(fault, *self.stack.services)
        self.stack.take_postgres_down(postgres_faults.kill_9, down_seconds=fault.size)
        wait_for_postgres(self.stack)

    def _sql(self, database: Database, statement: str, **values: object) -> None:
        """As an administrator would: again, while the server recovers from the fault before."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                with psycopg.connect(database.url, autocommit=True) as connection:
                    connection.execute(statement.encode(), values)
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)


MENU: dict[str, Callable[[ProcessFaults, ProcessFault], None]] = {
    "kill_casino": ProcessFaults.kill_casino,
    "kill_provider": ProcessFaults.kill_provider,
    "kill_both": ProcessFaults.kill_both,
    "freeze_casino": ProcessFaults.freeze_casino,
    "freeze_provider": ProcessFaults.freeze_provider,
    "freeze_postgres": ProcessFaults.freeze_postgres,
    "stop_postgres_immediately": ProcessFaults.stop_postgres_immediately,
    "kill_postgres": ProcessFaults.kill_postgres,
    "kill_one_backend": ProcessFaults.kill_one_backend,
    "break_connections": ProcessFaults.break_connections,
    "exclude_a_player": ProcessFaults.exclude_a_player,
    "step_clock": ProcessFaults.step_clock,
    "power_cut": ProcessFaults.power_cut,
}


def heal(stack: ChaosStack) -> None:
    """Postgres runs, the clock is right, no service is held down."""
    stack.down_until.clear()
    set_clocks(stack.clock_files, 0)
    for pair in stack.pairs:
        pair.proxy.heal()
    wait_for_postgres(stack)


def set_clocks(clock_files: Iterable[Path], seconds: int) -> None:
    """In one step: a clock that reads half a file would be another fault than the one that was planned."""
    for clock_file in clock_files:
        fresh = clock_file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}s")
        fresh.replace(clock_file)


def wait_for_postgres(stack: ChaosStack) -> None:
    wait_until(lambda: stack.postgres.pid is not None, "Postgres did not come back")
