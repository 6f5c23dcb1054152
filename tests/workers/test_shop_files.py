"""Shops as their files say them, and the files that no shop has."""

import pytest
from pydantic import SecretStr

from tests.support import shop_files
from workers.services import apis_of, load_templates
from workers.settings import SettingMissingError, Settings
from workers.shops import load_shops


def settings(**values):
    return Settings(_env_file=None, secret_key="test-secret-key", **values)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    return shop_files.write(tmp_path, monkeypatch)


def test_without_files_there_are_no_shops():
    """One shop by environment alone needs none."""
    assert load_shops(settings()) == {}


def test_a_folder_holds_a_file_or_a_folder_for_each_shop(folder):
    """The id is what the file says, else what it is called; secrets are looked up, several at a time."""
    shops = load_shops(settings(shops=folder, email_url="smtp://127.0.0.1:25"))
    assert sorted(shops) == ["bikes", "tea"]
    tea = shops["tea"]
    assert tea.names == {"tea", "tea.myshopify.com"}
    assert tea.secrets["events"] == (shop_files.TEA_SECRET, shop_files.TEA_OLD_SECRET)
    assert tea.secrets["easypost"] == (shop_files.CARRIER,)
    assert (tea.locale, tea.time_zone, tea.country) == ("de-DE", "Europe/Berlin", "DE")
    assert tea.settings.needed("email_url") == "smtp://127.0.0.1:25"


def test_one_file_is_one_shop(folder):
    """`POSTLUDE_SHOPS` may name the file itself."""
    assert list(load_shops(settings(shops=folder / "bikes.yaml"))) == ["bikes"]


def test_a_shop_wears_its_own_brand_in_every_language(folder):
    """Its name and address are laid over the brand, whatever else it takes as shipped."""
    tea = load_shops(settings(shops=folder))["tea"]
    templates = load_templates(tea.settings, tea.brand)
    for locale in ("de-DE", "en", "fr"):
        brand = templates.brand_in(locale)
        assert (brand.name, brand.postal_address) == ("Teeladen", "Teeladen, Kontorhaus 1, 20095 Hamburg")


def test_a_shop_has_its_own_api_under_its_own_id(folder, monkeypatch):
    """What Shopify calls it is its host; its events are of the shop's id."""
    monkeypatch.setenv("TEA_API", "shopify://token@tea.myshopify.com")
    text = shop_files.TEA + "api: env:TEA_API\n"
    (folder / "tea" / "shop.yaml").write_text(text, encoding="utf-8")
    shops = load_shops(settings(shops=folder))
    assert apis_of(settings(), shops.values()).shops() == ["tea"]
    monkeypatch.setenv("TEA_API", "shopify://s3cret@other.myshopify.com")
    with pytest.raises(SettingMissingError, match="is that of other") as refused:
        apis_of(settings(), load_shops(settings(shops=folder)).values())
    assert "s3cret" not in str(refused.value)


def test_the_deployments_own_secrets_are_not_a_shops(folder):
    """What the environment opens is of the shops without a file."""
    deployment = settings(shops=folder, shopify_secret=SecretStr("the deployment's"), shop_urls="shopify://t@x.example")
    tea = load_shops(deployment)["tea"]
    assert (tea.settings.shopify_secret, tea.settings.shop_urls) == (None, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a list", "a shop's file is a mapping"),
        ("id: [", "no YAML: line"),
        ("id: a/b", "id: an id has letters"),
        ("secrets: {events: whsec_s3cret}", "secrets.events.0: a secret is named, not written down"),
        ("secrets: {events: env:NOT_THERE}", "secrets.events: env:NOT_THERE is not set"),
        ("secrets: {events: file:nowhere.txt}", "secrets.events: .*nowhere.txt cannot be read"),
        ("secrets: {shoplift: env:TEA_EVENTS}", "secrets.shoplift: no endpoint; known are events, shopify"),
        ("providers: {email: smtp://user:s3cret@host}", "providers.email: a secret is named"),
        ("staff: slack+https://hooks.slack.com/s3cret", "staff: a secret is named"),
        ("templates: nowhere", "templates: there is no"),
        ("time_zone: Mars/Base", "time_zone: no time zone"),
        ("locale: ''", "locale: no locale"),
        ("country: Deutschland?", "country: no country"),
        ("soft_opt_in: [Britain!]", "soft_opt_in: Britain!: give two letters"),
        ("nonsense: 1", "nonsense: Extra inputs"),
        ("also: bikes", "bikes is bikes's name already"),
        ("secrets: {events: env:BIKE_EVENTS}", "bikes has the same one"),
    ],
)
def test_a_file_that_is_none_is_refused_by_file_and_field(folder, text, said):
    """And never repeats what may be a secret."""
    (folder / "tea" / "shop.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingMissingError, match=said) as refused:
        load_shops(settings(shops=folder))
    assert "shop.yaml" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_an_empty_folder_is_no_deployment_of_shops(tmp_path):
    """Somebody named the wrong folder."""
    with pytest.raises(SettingMissingError, match="has no shop"):
        load_shops(settings(shops=tmp_path))
