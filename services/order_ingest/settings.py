"""Settings of order_ingest."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import ServiceSettings, setting

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings):
    """What order_ingest is told by its environment."""

    max_in_flight_bytes: int = setting(
        "CADABRA_MAX_IN_FLIGHT_BYTES",
        default=64 * MIB,
        minimum=8 * MIB,
        help="bodies and records held at once, all requests together; past it 503 without reading the body",
    )
    max_connections: int = setting(
        "CADABRA_MAX_CONNECTIONS", default=1024, minimum=1, help="open connections; further ones get 503"
    )
    sender_orders_per_s: float = setting(
        "CADABRA_SENDER_ORDERS_PER_S",
        default=5000.0,
        minimum=0.1,
        help="orders a second and sender; twice as many in one burst, past it 429",
    )
    sender_bytes_per_s: float = setting(
        "CADABRA_SENDER_BYTES_PER_S",
        default=16.0 * MIB,
        minimum=1024,
        help="body bytes a second and sender; twice as many in one burst, past it 429",
    )
    head_timeout_s: float = setting(
        "CADABRA_HEAD_TIMEOUT_S",
        default=10.0,
        minimum=0.1,
        help="seconds from a connection's opening, or a head's first byte, to the head's end",
    )
    idle_timeout_s: float = setting(
        "CADABRA_IDLE_TIMEOUT_S",
        default=75.0,
        minimum=0.1,
        help="seconds that a connection may rest between requests; longer than the load balancer's",
    )
    body_grace_s: float = setting(
        "CADABRA_BODY_GRACE_S",
        default=10.0,
        minimum=0.1,
        help="seconds that a body, or a line of a batch, is given on top of its size by the least rate",
    )
    body_min_bytes_per_s: int = setting(
        "CADABRA_BODY_MIN_BYTES_PER_S",
        default=8192,
        minimum=1,
        help="least average rate of a body, or of a line of a batch, after the grace",
    )
    batch_idle_s: float = setting(
        "CADABRA_BATCH_IDLE_S",
        default=60.0,
        minimum=0.1,
        help="seconds that a batch may rest between two orders",
    )
    write_timeout_s: float = setting(
        "CADABRA_WRITE_TIMEOUT_S",
        default=30.0,
        minimum=0.1,
        help="seconds that a client may leave its answers unread before it is cut off",
    )
    batch_window_orders: int = setting(
        "CADABRA_BATCH_WINDOW_ORDERS",
        default=500,
        minimum=1,
        maximum=10_000,
        help="orders of one batch that may be unanswered; past it the batch is not read",
    )
    put_timeout_s: float = setting(
        "CADABRA_PUT_TIMEOUT_S",
        default=10.0,
        minimum=0.1,
        help="seconds within which the stream must have an order, else 503",
    )
    put_linger_s: float = setting(
        "CADABRA_PUT_LINGER_S",
        default=0.01,
        minimum=0,
        maximum=1,
        help="seconds that a record waits for others to share its PutRecords",
    )
    put_concurrency: int = setting(
        "CADABRA_PUT_CONCURRENCY", default=8, minimum=1, maximum=64, help="PutRecords calls at once"
    )
