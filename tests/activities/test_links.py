"""Links over the years: keys that change, and mails that lie in a mailbox."""

from datetime import UTC, datetime, timedelta

import pytest
from itsdangerous import URLSafeSerializer

from activities.links import Links, shop_in
from journey.playbook import Channel

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
OLD, NEW = "the key of last year, long enough", "the key of this year, long enough"


class Clock:
    def __init__(self):
        self.now = NOW

    def __call__(self):
        return self.now


def made(keys=NEW, *, clock=None, **more):
    return Links(keys, "https://shop.example", clock=clock or Clock(), **more)


def token(link):
    return link.rpartition("/")[2]


def all_of(links):
    """Every kind of link with what reads it, and what it is to say."""
    place = ("acme", "1001")
    return [
        (links.order(*place), "read_order", place),
        (links.unsubscribe(*place), "read_unsubscribe", place),
        (links.preferences(*place, Channel.SMS), "read_preferences", (*place, Channel.SMS)),
        (links.confirm("acme", "n" * 22), "read_confirm", "n" * 22),
        (links.remedy(*place, "1Z"), "read_remedy", (*place, "1Z")),
    ]


def test_each_link_opens_its_own_page_alone():
    """A token of one purpose is none of any other."""
    links = made()
    for link, reads, said in all_of(links):
        for _, other, _ in all_of(links):
            assert getattr(links, other)(token(link)) == (said if other == reads else None)


def test_old_links_work_until_their_key_is_dropped():
    """The newest key signs; every key in the list is read."""
    before, after, dropped = made([OLD]), made([NEW, OLD]), made([NEW])
    for (old, reads, said), (new, _, _) in zip(all_of(before), all_of(after), strict=True):
        assert getattr(after, reads)(token(old)) == said
        assert getattr(dropped, reads)(token(old)) is None
        assert getattr(dropped, reads)(token(new)) == said
        assert getattr(before, reads)(token(new)) is None


def test_links_from_before_they_expired_still_open():
    """They were signed with SHA-1, and named no end."""
    order = URLSafeSerializer(OLD, salt="postlude.order-page").dumps(["acme", "1001"])
    nonce = URLSafeSerializer(OLD, salt="postlude.confirm").dumps("n" * 22)
    clock = Clock()
    clock.now += timedelta(days=4000)
    links = made([NEW, OLD], clock=clock)
    assert links.read_order(order) == ("acme", "1001")
    assert links.read_confirm(nonce) == "n" * 22


@pytest.mark.parametrize(
    ("kind", "days"), [("order", 730), ("preferences", 1825), ("confirm", 60), ("remedy", 365), ("unsubscribe", None)]
)
def test_a_link_is_good_for_as_long_as_its_purpose_wants(kind, days):
    """What stops the mails is good for ever; the others end within a month of their time."""
    clock = Clock()
    links = made(clock=clock)
    link, reads, said = next(one for one in all_of(links) if one[1] == f"read_{kind}")
    clock.now = NOW + timedelta(days=days or 36500)
    assert getattr(links, reads)(token(link)) == said
    if days is not None:
        clock.now = NOW + timedelta(days=days + 31)
        assert getattr(links, reads)(token(link)) is None


def test_a_message_written_again_has_the_same_links():
    """So that a provider that knows its key finds the same body."""
    clock = Clock()
    links = made(clock=clock)
    first = [link for link, _, _ in all_of(links)]
    clock.now += timedelta(hours=1)
    assert [link for link, _, _ in all_of(links)] == first


def test_links_of_a_shop_read_its_own_alone():
    """And stand under its path."""
    tea, bikes = (made(shop=shop, path=f"/s/{shop}") for shop in ("tea", "bikes"))
    link = tea.order("tea", "1001")
    assert link.startswith("https://shop.example/s/tea/o/")
    assert (tea.read_order(token(link)), bikes.read_order(token(link))) == (("tea", "1001"), None)
    assert shop_in(token(link)) == "tea"


@pytest.mark.parametrize("text", ["", ".", "x", "WzFd.x.y", "é.é", "W10.x", "ImEi.x", "A" * 5000])
def test_what_is_no_token_names_no_shop(text):
    """Nothing that stands in a path makes it stumble."""
    assert shop_in(text) is None


@pytest.mark.parametrize("keys", ["", [], ["", NEW]])
def test_an_empty_key_signs_nothing(keys):
    """Everybody could open every page."""
    with pytest.raises(ValueError, match="secret key"):
        made(keys)
