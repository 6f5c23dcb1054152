"""Routes: each provider its share, a key always the same provider, and a way on from each that is busy."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.messaging.email.mailgun import Mailgun
from activities.messaging.email.postmark import Postmark
from activities.messaging.email.ses import Ses
from activities.messaging.email.smtp import Smtp
from activities.messaging.pace import Paced
from activities.messaging.protocol import Accepted, Mail, Receipt
from activities.messaging.providers import route as route_of
from activities.messaging.routes import Route
from journey.playbook import Channel

KEYS = [f"acme/{order}/{touch}/0" for order in range(1000) for touch in ("confirmed", "care", "review")]
WEIGHTS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


class Named:
    """A provider that is only its name."""

    remembers: timedelta | None = None
    looks_up = False
    settles_after = timedelta(0)

    def __init__(self, name: str, *, fails: bool = False) -> None:
        self.name = name
        self.closed = False
        self._fails = fails

    async def send(self, message: Mail) -> Receipt:
        return Accepted(message.key)

    async def find(self, key: str, message_id: str) -> str | None:
        return key + message_id

    async def aclose(self) -> None:
        self.closed = True
        if self._fails:
            raise OSError("already gone")


def route(*weights: float, names: str = "abcdefgh") -> Route[Mail]:
    return Route([Named(name) for name, _ in zip(names, weights, strict=False)], weights)


@settings(max_examples=15, deadline=None)
@given(weights=WEIGHTS)
def test_each_provider_has_its_share(weights: list[int]) -> None:
    """Of 3,000 messages each gets its weight's part, give or take four standard deviations."""
    made = route(*weights)
    shares = Counter(made.pick(key).name for key in KEYS)
    for name, weight in zip("abcde", weights, strict=False):
        part = weight / sum(weights)
        tolerance = 4 * (len(KEYS) * part * (1 - part)) ** 0.5
        assert abs(shares[name] - len(KEYS) * part) <= tolerance + 1e-9


@given(weights=WEIGHTS, key=st.text())
def test_a_key_meets_the_same_provider_in_every_process(weights: list[int], key: str) -> None:
    """Two routes made alike agree on every key, whatever it is made of."""
    assert route(*weights).pick(key).name == route(*weights).pick(key).name


def test_the_provider_of_a_key_is_for_ever() -> None:
    """Messages in doubt are looked for where an earlier release sent them."""
    made = route(3, 1, 1)
    assert "".join(made.pick(key).name for key in KEYS[:24]) == "aaccaaacabaaaaaaabaaaaaa"


@settings(max_examples=15, deadline=None)
@given(weights=WEIGHTS, more=st.integers(1, 9))
def test_a_provider_more_takes_its_share_and_moves_nothing_else(weights: list[int], more: int) -> None:
    """A key that changes its provider goes to the new one."""
    before, after = route(*weights), route(*weights, more)
    new = "abcdef"[len(weights)]
    for key in KEYS[:500]:
        assert after.pick(key).name in {before.pick(key).name, new}


@given(weights=st.lists(st.sampled_from([0, 1, 2.5]), min_size=1, max_size=5), key=st.text(max_size=20))
def test_failing_over_meets_everyone_once(weights: list[float], key: str) -> None:
    """From the first on, each is next once, those of weight 0 last; then there is none."""
    made = route(*weights)
    met = [made.pick(key).name]
    while (following := made.after(met[-1], key)) is not None:
        met.append(following.name)
    assert sorted(met) == sorted("abcde"[: len(weights)])
    stand_by = [weights["abcde".index(name)] == 0 for name in met]
    assert stand_by == sorted(stand_by)


def test_one_that_fails_is_relieved_by_weight() -> None:
    """What the first cannot take is shared by the others as their weights say, not heaped on one."""
    made = route(5, 3, 1)
    mine = [key for key in KEYS if made.pick(key).name == "a"]
    relief = Counter(following.name for key in mine if (following := made.after("a", key)))
    assert 2.2 < relief["b"] / relief["c"] < 4.2


async def test_providers_are_known_by_name() -> None:
    """A second of one vendor has a number; an unknown name is nobody, and has nobody after it."""
    made = Route([Named("postmark"), Named("ses"), Named("postmark")], [1, 1, 1])
    assert [made.named(name) is not None for name in ("postmark", "ses", "postmark-2", "gone")] == [
        *(True, True, True, False)
    ]
    first, second = made.named("postmark"), made.named("postmark-2")
    assert first is not None
    assert second is not None
    assert (first is second, second.name) == (False, "postmark-2")
    assert made.after("gone", "k") is None


async def test_closing_closes_all() -> None:
    """One that fails to close keeps no other open, and is heard of."""
    providers = [Named("a"), Named("b", fails=True), Named("c")]
    with pytest.raises(OSError, match="already gone"):
        await Route(providers, [1, 1, 1]).aclose()
    assert all(provider.closed for provider in providers)


@pytest.mark.parametrize("weights", [(), (1,), (1, 2, 3), (1, -1), (1, float("nan")), (1, float("inf"))])
def test_a_route_needs_a_weight_for_each(weights: tuple[float, ...]) -> None:
    """None, too many, or no numbers are refused."""
    with pytest.raises(ValueError, match="weight"):
        Route([Named("a"), Named("b")], weights)


# ---- from the settings --------------------------------------------------------------------------------------


async def test_a_setting_names_providers_with_weight_and_rate() -> None:
    """URLs divided by blanks and line ends, as environment files have them."""
    made = route_of(
        Channel.EMAIL,
        """ses://AKID:s%2Fe@eu-central-1?weight=3&rate=14&configuration_set=x
        mailgun://k@api.mailgun.net/mg.shop.test\tpostmark://t1@api.postmarkapp.com postmark://t2@?weight=0.5""",
    )
    assert isinstance(made.named("ses"), Paced)
    assert isinstance(made.named("mailgun"), Mailgun)
    assert isinstance(made.named("postmark-2"), Postmark)
    shares = Counter(made.pick(key).name for key in KEYS)
    assert shares["ses"] > 2 * shares["mailgun"] > shares["postmark-2"] > 0
    await made.aclose()


async def test_one_provider_is_a_route_of_one() -> None:
    """What a setting was until now stays what it is."""
    made = route_of(Channel.EMAIL, "smtp://127.0.0.1:2525")
    assert isinstance(made.pick("k"), Smtp)
    assert made.after("smtp", "k") is None
    assert isinstance(route_of(Channel.EMAIL, "smtps://mail.shop.test").pick("k"), Smtp)
    assert isinstance(route_of(Channel.EMAIL, "ses://AKID:s@eu-central-1").pick("k"), Ses)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("", "no provider is named"),
        ("s3cret", "no provider for ://"),
        ("gopher://s3cret@x", "no provider for gopher://; known are smtp, smtps, ses, sendgrid"),
        ("ses://AKID:s3cret/x@eu-central-1", "not a URL; in a user name or password write / as %2F"),
        ("smtp://me:s3cret@[::1", "not a URL"),
        ("smtp://me:s3cret\u2100@x", "not a URL"),
        ("postmark://s3cret@?rate=fast", "?rate= is a number"),
        ("postmark://s3cret@?rate=0", "?rate= is above 0"),
        ("postmark://s3cret@?rate=-1", "?rate= is a number"),
        ("postmark://s3cret@?weight=1e9", "?weight= is a number"),
        ("postmark://s3cret@?weight=nan", "?weight= is a number"),
        ("postmark://s3cret@?weight=1 resend://", "resend:// needs the API key"),
    ],
)
def test_a_setting_that_is_wrong_says_which_and_why_without_its_secret(setting: str, says: str) -> None:
    """The text begins with the setting's name and repeats nothing of the URL but its scheme."""
    with pytest.raises(ValueError, match=r"^POSTLUDE_EMAIL_URL: ") as raised:
        route_of(Channel.EMAIL, setting)
    assert says in str(raised.value)
    assert "s3cret" not in f"{raised.value!r}{raised.value.__cause__!r}"


@pytest.mark.parametrize(
    ("channel", "name"),
    [
        (Channel.SMS, "POSTLUDE_SMS_URL"),
        (Channel.WHATSAPP, "POSTLUDE_WHATSAPP_URL"),
        (Channel.PUSH, "POSTLUDE_PUSH_URL"),
        (Channel.WEB_PUSH, "POSTLUDE_WEB_PUSH_URL"),
    ],
)
def test_every_channel_has_its_setting(channel: Channel, name: str) -> None:
    """A mail provider is none for another channel, and the text says which setting is wrong."""
    with pytest.raises(ValueError, match=f"^{name}: no provider for smtp://"):
        route_of(channel, "smtp://127.0.0.1")
