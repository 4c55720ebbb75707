"""Every metric of the notifier."""

from __future__ import annotations

from services.kernel.core.http_api import RequestMetrics
from services.kernel.core.metrics import counter, gauge, histogram
from services.kernel.streams.group_metrics import GroupMetrics

_DELAY_BUCKETS_S = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)


class NotifierMetrics(GroupMetrics, RequestMetrics):
    """What every consumer shows, what became of incidents, and how messages are delivered."""

    service = "alarm_notifier"

    changes = counter(
        "incident_changes", "State changes of incidents that were stored.", ["state"], unit="changes"
    )
    heartbeats = counter("heartbeats", "Signs of life of the alarm job that were stored.", unit="records")
    repeated = counter(
        "repeated_records",
        "Records of a rank that is not above the stored one; they changed nothing.",
        unit="records",
    )
    delivering = gauge("delivering", "1 in the worker that holds the delivery lease, else 0.")
    delivery_begun = counter("delivery_begun", "Times that this worker began to deliver.")
    open_messages = gauge(
        "open_messages", "Messages that wait, are held back or are being told.", unit="messages"
    )
    held_messages = gauge("held_messages", "Messages held back by a silence or a worldwide incident.")
    oldest_due_s = gauge(
        "oldest_due_seconds", "Longest that a message is due, not held back and not told.", unit="s"
    )
    published = counter("published", "Messages that SNS took, a group as one.", ["kind"], unit="messages")
    sms = counter("sms_published", "Messages for phones that SNS took.", unit="messages")
    repeats = counter(
        "repeated_attempts", "Attempts after the first: what SNS has may have it twice.", unit="messages"
    )
    failures = counter("publish_failures", "Attempts that SNS did not take.", ["error"], unit="messages")
    dropped = counter("dropped", "Messages that nobody needed to know.", ["why"], unit="messages")
    capped = counter("capped", "Messages left out on phones because of the hour's cap.", unit="messages")
    publish_s = histogram("publish_seconds", "Duration of one publish.", unit="seconds")
    record_to_told_s = histogram(
        "detected_to_told_seconds",
        "From the job's detection to SNS's answer, of first attempts that were not held back.",
        unit="seconds",
        buckets=_DELAY_BUCKETS_S,
    )
    last_heartbeat = gauge(
        "last_heartbeat_seconds", "Age of the alarm job's last sign of life; 0 before the first.", unit="s"
    )
