"""On which channel a message goes, and when none is left."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from journey.contact import Contact, Go, channels_in_order, merge_with
from journey.itinerary import Deliver, Finish, Wait, next_step
from journey.outcomes import DeliverAnswer, Held, Refused
from journey.playbook import Caps, Channel, ContactRules, Playbook, Purpose, load_playbook
from journey.simulate import Recipient, one_parcel, simulate
from tests.journey.contacts import DAYTIME, EMAIL, INBOX, MIDNIGHT, NOON, RULES, SMS, ask, known, reach, refused, touch
from tests.journey.makers import begun, order


def test_stop_ends_every_text_and_the_receipt_goes_by_mail():
    """Who wrote STOP gets no text at all, and what is about the order takes the next channel."""
    stopped = known(reach(SMS, suppressed="opted_out"), reach())

    assert ask(stopped, touch("transactional", channels=["sms"])) == refused("suppressed_opted_out", SMS)
    answer = ask(stopped, touch("transactional", channels=["sms", "email"]))
    assert answer == Go(EMAIL, why={"sms": "suppressed_opted_out"})


def test_an_operator_wakes_nobody_whom_the_law_lets_sleep():
    """Asked for at ten at night in Miami, a text waits for eight in the morning, however long ago it was due."""
    miami = known(reach(SMS), zones=("America/New_York",), country="US", region="FL")
    now = datetime(2026, 11, 12, 3, tzinfo=UTC)

    asked = ask(miami, touch(channels=["sms"]), now=now, due=now - timedelta(days=9), forced=True)
    assert asked == Held(until=datetime(2026, 11, 12, 13, tzinfo=UTC), rule="quiet_hours")


def test_the_first_channel_that_may_takes_it():
    """In the touch's order, past what is refused; the refusals of those before it are said."""
    both = touch(channels=["sms", "email"])

    assert ask(known(), both).channel is SMS
    no_phone = ask(known(reach()), both)
    assert (no_phone.channel, no_phone.why) == (EMAIL, {"sms": "no_address"})
    nothing = ask(known(reach(refusal="no_consent"), reach(SMS, suppressed="bounced")), both)
    assert nothing == Refused(rule="suppressed_bounced", why={"sms": "suppressed_bounced", "email": "no_consent"})


def test_the_customers_preference_comes_first_when_the_touch_knows_it():
    """What the customer likes best is tried first; what the touch cannot travel on is not tried at all."""
    both = touch(channels=["sms", "email"])

    assert channels_in_order(both, known(preferred=EMAIL)) == (EMAIL, SMS)
    assert channels_in_order(both, known(preferred=INBOX)) == (SMS, EMAIL)
    assert ask(known(preferred=EMAIL), both).channel is EMAIL


def test_the_inbox_asks_for_nothing():
    """A row on the customer's own page needs neither address nor consent nor a morning; caps and a no count."""
    last = touch(channels=["email", "inbox"])

    assert ask(known(reach(refusal="no_consent")), last, now=MIDNIGHT) == Go(INBOX, why={"email": "no_consent"})
    held = ask(known(reach(refusal="no_consent"), sent=[Contact(NOON)]), last)
    assert held == Held(until=MIDNIGHT, rule="cap_per_day", why={"email": "no_consent"})
    assert ask(known(reach(INBOX, refusal="opted_out")), touch(channels=["inbox"])) == refused("opted_out", INBOX)


def test_a_hold_is_kept_rather_than_the_next_channel_taken():
    """At night the text waits for the morning although a mail might go; past its patience the mail does."""
    rules = RULES.but(quiet_by_channel={EMAIL: None})

    assert ask(known(), touch(channels=["sms", "email"]), now=MIDNIGHT, rules=rules).rule == "quiet_hours"
    impatient = ask(known(), touch(channels=["sms", "email"], patience="2h"), now=MIDNIGHT, rules=rules)
    assert impatient == Go(EMAIL, why={"sms": "expired_quiet_hours"})


def test_a_long_text_takes_another_channel():
    """More segments than the touch allows are too long for SMS, and for SMS alone."""
    short = touch(channels=["sms", "email"], most_segments=2)

    assert ask(known(segments={SMS: 2}), short).channel is SMS
    assert ask(known(segments={SMS: 3}), short).why == {"sms": "too_long"}


def test_what_failed_for_good_falls_through_where_the_touch_allows():
    """A number that the provider refuses leaves the mail; a touch that does not fall through ends there."""
    failed = known(failed={SMS: "rejected"})

    assert ask(failed, touch(channels=["sms", "email"])).channel is EMAIL
    assert ask(failed, touch(channels=["sms", "email"], falls_through=False)) == refused("rejected", SMS)


def test_a_channel_at_its_own_cap_gives_way_to_the_next():
    """One text a week: the second goes by mail, and waits for its slot where there is no mail."""
    rules = RULES.but(by_channel={SMS: Caps(per_week=1)})
    texted = {"sent": [Contact(NOON - timedelta(days=2), channel=SMS)]}

    mail = ask(known(**texted), touch(channels=["sms", "email"], patience="9d"), rules=rules)
    assert (mail.channel, mail.why) == (EMAIL, {"sms": "channel_cap_per_week"})
    held = ask(known(**texted), touch(channels=["sms"], patience="9d"), rules=rules)
    assert held == Held(until=NOON + timedelta(days=5, seconds=1), rule="channel_cap_per_week")


def test_two_tips_may_go_as_one():
    """Of its own group and purpose, on a channel it can take, worth most first; and it need not yield to those."""
    tip = touch(merge="tips", channels=["email", "push"])
    low, high = (Contact(NOON + timedelta(hours=2), priority, merge="tips") for priority in (10, 90))
    others = [
        Contact(NOON, merge="news"),
        Contact(NOON, merge="tips", channel=SMS),
        Contact(NOON, merge="tips", purpose=Purpose.TRANSACTIONAL),
    ]

    assert merge_with(tip, [low, *others, high]) == (high, low)
    assert merge_with(touch(), [low, high]) == ()
    assert ask(known(waiting=[high]), tip) == DAYTIME
    assert ask(known(waiting=[high])).rule == "yields_to_higher_priority"


def test_a_text_keeps_to_the_law_of_where_somebody_may_be():
    """At half past eight in the evening a text may ring in New York, not in Florida, and not where nobody knows."""
    text, rules = touch(channels=["sms"]), ContactRules(per_day=1)
    evening = datetime(2026, 11, 12, 1, 30, tzinfo=UTC)  # a Wednesday evening, 20:30 in New York

    def asked(region: str | None, zones: tuple[str, ...]) -> Go | Held | Refused:
        return ask(known(reach(SMS), zones=zones, country="US", region=region), text, now=evening, rules=rules)

    new_york = ("America/New_York",)
    assert asked("NY", new_york) == Go(SMS, until=datetime(2026, 11, 12, 2, tzinfo=UTC))
    assert asked("FL", new_york) == Held(until=datetime(2026, 11, 12, 13, tzinfo=UTC), rule="quiet_hours")
    assert asked(None, new_york) == Held(until=datetime(2026, 11, 12, 14, tzinfo=UTC), rule="quiet_hours")
    wide = asked(None, ("America/New_York", "Pacific/Honolulu"))
    assert wide == Held(until=datetime(2026, 11, 12, 19, tzinfo=UTC), rule="quiet_hours")


def test_where_the_hours_never_meet_the_channel_is_out():
    """Zones half the globe apart have no hour in common by day: no text ever goes, and a mail does."""
    torn = known(zones=("Pacific/Honolulu", "Asia/Dubai"), country="US")

    assert ask(torn, touch(channels=["sms"])) == refused("hours_never_meet", SMS)
    assert ask(torn, touch(channels=["sms", "email"]), rules=ContactRules()).channel is EMAIL


def test_why_travels_only_where_it_says_more_than_the_rule():
    """One channel's rule is the rule; of several, each one's goes along to the workflow."""
    one = DeliverAnswer.of(Refused(rule="no_consent", why={"sms": "no_consent"}))
    assert one.model_dump(exclude_unset=True) == {"status": "refused", "rule": "no_consent"}
    assert "why" not in Refused(rule="too_late").model_dump()

    several = Refused(rule="no_address", why={"sms": "no_address", "email": "no_consent"})
    assert DeliverAnswer.of(several).model_dump(exclude_unset=True) == several.model_dump()
    assert DeliverAnswer.of(several).outcome(now=NOON) == several
    waits = Held(until=MIDNIGHT, rule="quiet_hours", why={"sms": "no_address"})
    assert DeliverAnswer.of(waits).outcome(now=NOON) == waits


def changed(playbook: Playbook, **changes) -> Playbook:
    return Playbook.model_validate({name: getattr(playbook, name) for name in Playbook.model_fields} | changes)


def test_a_pinned_playbook_keeps_its_name():
    """What nobody says of the newer rules is left out of the canonical form, so a digest of last year stays."""
    recorded = list((Path(__file__).parents[1] / "histories" / "playbooks").glob("*.json"))

    assert recorded
    assert [file.stem for file in recorded] == [load_playbook(file.read_text()).digest for file in recorded]


def test_what_is_said_makes_another_playbook(playbook):
    """The newer rules, once set, change the digest and survive the way to the database."""
    rules = playbook.contact.but(quiet_by_channel={SMS: None}, by_channel={SMS: Caps(per_week=2)}, gap=timedelta(1))
    said = changed(playbook, contact=rules)

    assert said.digest != playbook.digest
    assert load_playbook(said.compact).contact == rules


def test_a_touch_is_planned_for_its_first_channel_awake(playbook):
    """A marketing text rests at night and a row in the inbox does not: asked for at once where it may take either."""
    night = datetime(2026, 11, 23, 22, tzinfo=UTC)

    def planned(*channels: Channel) -> Wait | Deliver | Finish:
        hello = touch(channels=channels, phase="onboarding")
        only = changed(playbook, touches=(hello,))
        return next_step(begun(order(placed_at=night), only, now=night), only, now=night)

    assert planned(SMS, EMAIL).until == night + timedelta(hours=9)
    assert isinstance(planned(SMS, INBOX), Deliver)


def test_the_preview_says_on_which_channel(playbook):
    """The simulator asks the same rules: the preferred channel first, and a text inside the law of the region."""
    both = tuple(one.but(channels=(EMAIL, SMS) if one.marketing else (EMAIL,)) for one in playbook.touches)
    texts = changed(playbook, touches=both)
    facts = order(placed_at=NOON).but(country="US", time_zone="America/New_York")
    somebody = Recipient(preferred=SMS, region="RI")
    found = simulate(facts, texts, somebody, one_parcel(facts, delivered_after=timedelta(days=3)))

    marketing = [entry for entry in found.entries if entry.purpose == "marketing" and entry.status == "sent"]
    assert {entry.channel for entry in marketing} == {SMS}
    local = [entry.at.astimezone(ZoneInfo("America/New_York")) for entry in marketing]
    assert all(9 <= at.hour < 18 and at.weekday() < 6 for at in local)
    assert {entry.channel for entry in found.entries if entry.touch == "order_confirmation"} == {EMAIL}
