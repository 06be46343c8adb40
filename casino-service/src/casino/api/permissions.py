"""The permission table: who may do what. Routes, tests and docs/platform.md use this one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

OWNER, DISTRIBUTOR, OPERATOR = "owner", "distributor", "operator"
AGENT, CASHIER, AUDITOR = "agent", "cashier", "auditor"
ROLES: Final = (OWNER, DISTRIBUTOR, OPERATOR, AGENT, CASHIER, AUDITOR)
"""The highest first; the auditor stands apart."""

_ALL: Final = frozenset(ROLES)
_MANAGERS: Final = frozenset({OWNER, DISTRIBUTOR, OPERATOR})
_OPERATORS: Final = frozenset({OWNER, OPERATOR})

PERMISSIONS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "tenants.read": _ALL,
        "players.read": _ALL,
        "vouchers.read": _ALL,
        "statements.read": _ALL - {CASHIER},
        "tenants.manage": _MANAGERS,
        "staff.manage": _MANAGERS,
        "apikeys.manage": _OPERATORS,
        "webhooks.manage": _OPERATORS,
        "stops.manage": _OPERATORS,
        "reports.schedule": _OPERATORS,
        "vouchers.issue": frozenset({AGENT, CASHIER}),
        "vouchers.void": frozenset({OWNER, OPERATOR, AGENT}),
        "players.money": frozenset({OWNER, OPERATOR, AGENT, CASHIER}),
        "players.care": frozenset({OWNER, OPERATOR, AGENT}),
        "players.adjust": _OPERATORS,
        "approvals.decide": _MANAGERS,
        "shifts.own": frozenset({CASHIER}),
        "safety.read": _ALL - {CASHIER},
        "analytics.read": _ALL - {CASHIER},
        "audit.read": _MANAGERS | {AUDITOR},
    }
)
READ_BY_AUDITORS: Final = frozenset(
    {
        *("tenants.manage", "staff.manage", "apikeys.manage", "webhooks.manage", "stops.manage", "reports.schedule"),
        *("approvals.decide", "shifts.own"),
    }
)
"""Permissions whose GET routes an auditor may call, too."""


def of_role(role: str) -> frozenset[str]:
    """The permissions of a role."""
    return frozenset(name for name, roles in PERMISSIONS.items() if role in roles)


def may(role: str, permissions: frozenset[str], wanted: str, *, only_reads: bool) -> bool:
    """Returns whether a caller with this role and these permissions may call a route that asks for `wanted`."""
    return wanted in permissions or (only_reads and role == AUDITOR and wanted in READ_BY_AUDITORS)
