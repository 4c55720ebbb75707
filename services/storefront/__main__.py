"""The storefront's composition root."""

from __future__ import annotations

from services.kernel.adapters.dynamodb import DynamoDB
from services.kernel.core.errors import Misconfigured, MissingResource
from services.kernel.core.http_api import listening
from services.kernel.core.lifecycle import Lifecycle, run
from services.kernel.core.names import physical_name
from services.kernel.core.retry import Retry
from services.kernel.core.tokens import Verifier
from services.storefront.api import Api
from services.storefront.metrics import StorefrontMetrics
from services.storefront.orders import OrderReader
from services.storefront.secret_file import SecretFile
from services.storefront.settings import Settings

_READ_RETRY_SHARE = 0.5  # of a request's time may go into asking again
_START_BUDGET_S = 20.0


async def serve(life: Lifecycle[Settings], settings: Settings) -> None:
    """Answer requests until asked to stop, then let those at work end."""
    if settings.jwks_file is None:
        raise Misconfigured("CADABRA_JWKS_FILE is not set")
    metrics = StorefrontMetrics()
    await life.metrics_server(metrics)
    verifier = Verifier(settings.jwks_file)
    secrets = SecretFile(settings.cursor_secret_file)
    table = physical_name(settings.namespace, "order_history")
    async with DynamoDB.open(
        settings.dynamodb_endpoint,
        settings.region,
        max_connections=settings.max_reads,
        read_timeout_s=settings.request_timeout_s,
        data_plane=settings.data_plane,
    ) as dynamodb:
        status = await Retry(budget_s=_START_BUDGET_S).call(lambda: dynamodb.table_status(table))
        if status is None:
            raise MissingResource(f"there is no table {table}")
        retry = Retry(cap_s=0.5, budget_s=settings.request_timeout_s * _READ_RETRY_SHARE)
        reader = OrderReader(dynamodb, table, metrics, settings.max_reads, retry)
        api = Api(reader, verifier, secrets.secrets, metrics, settings)
        async with listening(api.application(), settings) as port:
            life.ready(port=port)
            await life.stopping.wait()


if __name__ == "__main__":
    run("storefront", Settings, serve)
