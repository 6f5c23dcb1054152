"""Which shops' APIs the setting names."""

import pytest

from activities.shops.apis import ShopApis

BACKEND = "backend://whsec_YSB0ZXN0IHNlY3JldCBvZiB0aGlydHkgYnl0ZXMh@shop.example/api?shop=own"
ALL = f"""
shopify://t0ken@acme.myshopify.com woocommerce://ck_t0ken:cs_t0ken@shop.example
bigcommerce://t0ken@api.bigcommerce.com/abc123 {BACKEND}
"""


async def test_every_platform_is_named_by_its_scheme():
    """URLs divided by blanks and line ends become one API each, called as the shop's webhooks call it."""
    apis = ShopApis.named_by(ALL, secret_key="k")
    found = {shop: api.name for shop in apis.shops() if (api := apis.of(shop)) is not None}
    await apis.aclose()
    assert found == {
        "acme.myshopify.com": "shopify",
        "shop.example": "woocommerce",
        "abc123": "bigcommerce",
        "own": "backend",
    }


@pytest.mark.parametrize("urls", [None, "", " \n"])
def test_an_unset_setting_names_no_shop(urls):
    """Without URLs no shop is read, and asking for one finds nothing."""
    apis = ShopApis.named_by(urls, secret_key="k")
    assert (apis.shops(), apis.of("acme")) == ([], None)


@pytest.mark.parametrize(
    "url",
    [
        "magento://t0ken@shop.example",
        "bigcommerce://t0ken/x@[api",
        "bigcommerce://t0ken@api.bigcommerce.com:port/abc",
        f"{BACKEND} {BACKEND}",
        "shop.example?t0ken",
    ],
)
def test_what_is_no_shop_is_refused(url):
    """An unknown scheme, no URL at all, one shop twice: the setting is named, and no secret."""
    with pytest.raises(ValueError, match="POSTLUDE_SHOP_URLS") as caught:
        ShopApis.named_by(url, secret_key="k")
    assert "t0ken" not in str(caught.value)
    assert "whsec_" not in str(caught.value)
