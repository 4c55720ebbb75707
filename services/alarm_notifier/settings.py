"""What the notifier is told by its environment."""

from __future__ import annotations

from dataclasses import dataclass

from services.kernel.core.settings import ServiceSettings, SnsSettings, setting
from services.kernel.streams.group_settings import GroupSettings


@dataclass(frozen=True, kw_only=True)
class Settings(ServiceSettings, SnsSettings, GroupSettings):
    """The common settings, those of every consumer, and the notifier's own."""

    topic_arn: str | None = setting(
        "CADABRA_ALARM_TOPIC_ARN",
        default=None,
        pattern=r"arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}",
        help="topic that messages are published to; unset, the one named `<namespace>-order-rate-alarms`",
    )
    console_url: str | None = setting(
        "CADABRA_CONSOLE_URL",
        default=None,
        pattern=r"https?://[A-Za-z0-9.:/-]{1,40}",
        help="where links in messages lead: `<url>/i/<id in 22 characters>`; short, for an SMS",
    )
    max_alarm_age_s: float = setting(
        "CADABRA_MAX_ALARM_AGE_S",
        default=900.0,
        minimum=1,
        help="seconds from a window's end to its detection after which nobody is told that it fires",
    )
    group_wait_s: float = setting(
        "CADABRA_GROUP_WAIT_S",
        default=0.5,
        minimum=0,
        maximum=60,
        help="seconds that a message waits for others to go with it; a country's waits twice as long",
    )
    reminder_s: float = setting(
        "CADABRA_REMINDER_S",
        default=3600.0,
        minimum=1,
        help="seconds after which people are told again of what still fires and nobody has acknowledged",
    )
    max_sms_per_hour: int = setting(
        "CADABRA_MAX_SMS_PER_HOUR",
        default=10,
        minimum=1,
        maximum=1_000,
        help="messages to phones in any hour; past it phones get digests",
    )
    digest_s: float = setting(
        "CADABRA_DIGEST_S",
        default=600.0,
        minimum=1,
        help="seconds from the first message past the cap to the digest that tells phones of it",
    )
    deadman_s: float = setting(
        "CADABRA_DEADMAN_S",
        default=60.0,
        minimum=1,
        help="seconds without a sign of life of the alarm job after which people are told",
    )
    delivery_lease_s: float = setting(
        "CADABRA_DELIVERY_LEASE_S",
        default=5.0,
        minimum=0.5,
        maximum=300,
        help="seconds without a beat after which another worker delivers",
    )
    max_backoff_s: float = setting(
        "CADABRA_MAX_BACKOFF_S",
        default=30.0,
        minimum=0.1,
        maximum=3600,
        help="longest pause between two attempts of a message that SNS does not take",
    )
    request_timeout_s: float = setting(
        "CADABRA_REQUEST_TIMEOUT_S",
        default=5.0,
        minimum=0.1,
        maximum=60,
        help="seconds a request may take; past them 503",
    )
    max_requests: int = setting(
        "CADABRA_MAX_REQUESTS",
        default=16,
        minimum=1,
        maximum=1_000,
        help="requests at work at once; further ones get 503 with Retry-After",
    )
