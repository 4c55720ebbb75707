"""The floor of the serving bench: an aiohttp handler that reads one record by one GetItem and sends it as it is.

No token, no limits, no metrics, no look at orders, nothing decoded. `python -m bench.recommendations.serving_floor`
reads CADABRA_DYNAMODB_ENDPOINT, prints its port on a line of its own, serves until killed.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import web

from bench import loopback
from bench.recommendations.serving_data import VERSION
from services.kernel.adapters.dynamodb import DynamoDB

TABLE = "bench-recommendations"


async def main() -> None:
    """Serve until killed."""
    async with DynamoDB.open(os.environ["CADABRA_DYNAMODB_ENDPOINT"], "us-east-1") as dynamodb:

        async def read(request: web.Request) -> web.Response:
            subject = f"customer:{request.match_info['customer_id']}"
            key = {"subject": {"S": subject}, "version": {"S": VERSION}}
            item = await dynamodb.get_item(TABLE, key, consistent=False)
            if item is None:
                return web.Response(status=404)
            return web.Response(body=item["body"]["B"], content_type="application/json")

        app = web.Application()
        app.router.add_get("/v1/customers/{customer_id}/recommendations", read)
        await loopback.serve(app)


if __name__ == "__main__":
    asyncio.run(main())
