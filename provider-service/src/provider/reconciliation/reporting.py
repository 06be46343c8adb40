"""A run as its report: counts, its end, and every difference row by row.

Owns the shape of the report, which other programs read. It must never leave out a difference that is not healed.
"""

from typing import Any, Final

from provider.reconciliation.queries import Difference, RunBooks

PAGE_ROWS: Final = 1000
COULD_NOT_FINISH: Final = 2


def unfinished(why: str) -> dict[str, Any]:
    """The report of a run that did not even begin."""
    return {"runId": None, "exitStatus": COULD_NOT_FINISH, "failure": why, "differences": []}


async def report_of(books: RunBooks, run_id: int, *, exit_status: int) -> dict[str, Any]:
    """The report of a run that has ended."""
    run = await books.run(run_id)
    found: list[dict[str, Any]] = []
    after = 0
    while page := await books.differences_page(run_id, after, PAGE_ROWS):
        after = page[-1].difference_id
        found.extend(_shown(difference) for difference in page)
    return {
        "runId": run_id,
        "exitStatus": exit_status,
        "failure": run.failure,
        "compared": run.compared,
        "open": run.open_count,
        "found": len(found),
        "healed": sum(each["healedBy"] is not None for each in found),
        "differences": found,
    }


def _shown(difference: Difference) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "userId": difference.user_id,
        "transactionId": difference.transaction_id,
        "ours": difference.ours,
        "theirs": difference.theirs,
        "proposedRepair": difference.proposed_repair,
        "foundAt": difference.found_at.isoformat(timespec="milliseconds"),
        "healedBy": difference.healed_by,
    }
