"""The storefront's composition root."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AsyncExitStack

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.http_api import listening
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.tokens import Verifier
from services.storefront.access import Access
from services.storefront.api import Api
from services.storefront.guard import Guard
from services.storefront.memory import Memory
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader
from services.storefront.pointer import PointerReader
from services.storefront.recommendation_routes import RecommendationRoutes
from services.storefront.recommendations import Recommendations
from services.storefront.records import RecordReader
from services.storefront.secret_file import SecretFile
from services.storefront.settings import Settings
from services.storefront.since import Since

_READ_RETRY_SHARE = 0.5  # of a request's time may go into asking again
_START_BUDGET_S = 20.0


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Answer requests until asked to stop, then let those at work end."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set")
    metrics = StorefrontMetrics()
    await life.metrics_server(metrics)
    access = Access(Verifier(settings.jwks_file))
    secrets = SecretFile(settings.cursor_secret_file)
    async with AsyncExitStack() as stack:
        # A pool for each: orders that wait for a table must not keep recommendations from going on without it.
        orders, lists = [
            await stack.enter_async_context(_dynamodb(settings, timeout_s))
            for timeout_s in (settings.request_timeout_s, settings.recommendations_timeout_s)
        ]
        for name in ("order_history", "recommendations"):
            await _present(orders, physical_name(settings.namespace, name))
        reader = _order_reader(orders, settings, metrics, settings.request_timeout_s)
        recommendations = _recommendations(lists, settings, metrics)
        routes = RecommendationRoutes(recommendations, access)
        api = Api(reader, routes, access, secrets.secrets, metrics, settings)
        port = await stack.enter_async_context(listening(api.application(), settings))
        life.ready(port=port)
        await life.stopping.wait()


def _dynamodb(settings: Settings, timeout_s: float) -> AbstractAsyncContextManager[DynamoDB]:
    return DynamoDB.open(
        settings.dynamodb_endpoint,
        settings.region,
        max_connections=settings.max_reads,
        read_timeout_s=timeout_s,
        data_plane=settings.data_plane,
    )


async def _present(dynamodb: DynamoDB, table: str) -> None:
    status = await Retry(budget_s=_START_BUDGET_S).call(lambda: dynamodb.table_status(table))
    if status is None:
        raise MissingResource(f"there is no table {table}")


def _order_reader(
    dynamodb: DynamoDB, settings: Settings, metrics: StorefrontMetrics, timeout_s: float
) -> OrderReader:
    table = physical_name(settings.namespace, "order_history")
    return OrderReader(dynamodb, table, metrics, settings.max_reads, _retry(timeout_s))


def _retry(timeout_s: float) -> Retry:
    return Retry(base_s=min(0.05, timeout_s / 5), cap_s=0.5, budget_s=timeout_s * _READ_RETRY_SHARE)


def _recommendations(dynamodb: DynamoDB, settings: Settings, metrics: StorefrontMetrics) -> Recommendations:
    timeout_s = settings.recommendations_timeout_s
    memory = Memory(settings.recommendations_cache_bytes, metrics)
    table = physical_name(settings.namespace, "recommendations")
    guard = Guard("recommendations", timeout_s)
    records = RecordReader(dynamodb, table, guard, memory, metrics, _retry(timeout_s))
    pointers = PointerReader(records.pointer, records.everywhere, settings.pointer_max_age_s, metrics)
    orders = _order_reader(dynamodb, settings, metrics, timeout_s)
    since = Since(orders, Guard("order_history", timeout_s), metrics)
    return Recommendations(pointers, records, since, memory, metrics)


if __name__ == "__main__":
    run("storefront", Settings, serve)
