"""Every route of the account's side of the REST interface in one table; no handler."""

from __future__ import annotations

from recio.exchange_sim.wire.rest import (
    account_routes,
    allocation_routes,
    group_routes,
    index_routes,
    metering,
    order_reads,
    order_routes,
    payment_routes,
    portfolio_routes,
)

ROUTES = (
    *portfolio_routes.ROUTES,
    *payment_routes.ROUTES,
    *order_reads.ROUTES,
    *order_routes.ROUTES,
    *group_routes.ROUTES,
    *account_routes.ROUTES,
    *allocation_routes.ROUTES,
    *index_routes.ROUTES,
    *metering.ROUTES,
)
