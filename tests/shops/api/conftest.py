"""The shops on loopback, and the adapters that speak to them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from activities.shops.shopify_admin import ShopifyAdmin
from activities.shops.woocommerce_rest import WooCommerceRest
from tests.shops.api.shopify_server import ShopifyServer
from tests.shops.api.woocommerce_server import WooCommerceServer
from tests.support.providers import Impatient

SECRET_KEY = "a secret key of the tests"  # noqa: S105


@pytest.fixture
async def shopify() -> AsyncIterator[ShopifyServer]:
    server = ShopifyServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def admin(shopify: ShopifyServer) -> AsyncIterator[ShopifyAdmin]:
    made = ShopifyAdmin(shopify.url, secret_key=SECRET_KEY, transport=Impatient())
    yield made
    await made.aclose()


@pytest.fixture
async def woocommerce() -> AsyncIterator[WooCommerceServer]:
    server = WooCommerceServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def rest(woocommerce: WooCommerceServer) -> AsyncIterator[WooCommerceRest]:
    made = WooCommerceRest(
        woocommerce.url, secret_key=SECRET_KEY, transport=Impatient(), settled_after=timedelta(seconds=0.2)
    )
    yield made
    await made.aclose()
