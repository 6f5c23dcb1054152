"""What a person agreed to: whose word counts, for how long, and where."""

import itertools
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.consent import (
    OWN_WORDS,
    Answer,
    Frequency,
    How,
    Permission,
    Policy,
    Preferences,
    needs_confirmation,
    permits,
    topics_refused,
    word_that_holds,
)
from journey.consent_law import LAWS, law_of
from journey.playbook import Channel, Purpose, Topic

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STRICT = (Channel.SMS, Channel.WHATSAPP, Channel.WEB_PUSH, Channel.PUSH)
REACHING = (Channel.EMAIL, *STRICT)

countries = st.sampled_from([None, "DE", "AT", "CA", "US", "FR", "GB", "XX"])
moments = st.integers(-2000, 60).map(lambda days: NOW + timedelta(days=days))
answers = st.builds(
    Answer,
    channel=st.sampled_from([Channel.EMAIL, Channel.SMS, Channel.PUSH]),
    purpose=st.just(Purpose.MARKETING),
    granted=st.booleans(),
    at=moments,
    how=st.sampled_from(list(How)),
    jurisdiction=countries,
    confirmed=st.booleans(),
)
policies = st.builds(
    Policy,
    soft_opt_in=st.sampled_from([frozenset(), frozenset({"DE", "FR", "GB"})]),
    confirm_boxes=st.sampled_from([frozenset(), frozenset({"DE"})]),
)


def said(how: How, days_ago: float = 1, *, granted: bool = True, channel: Channel = Channel.EMAIL, **more) -> Answer:
    return Answer(channel, Purpose.MARKETING, granted, NOW - timedelta(days=days_ago), how, **more)


def may(*words: Answer, channel: Channel = Channel.EMAIL, country: str | None = "US", **more) -> Permission:
    return permits(words, channel=channel, purpose=Purpose.MARKETING, country=country, now=NOW, **more)


# ---- whose word counts ---------------------------------------------------------------------------------------


@given(st.lists(answers, max_size=8), countries, policies, st.sampled_from(REACHING), st.randoms())
def test_the_order_of_arrival_does_not_matter(words, country, policy, channel, random):
    """The same answers in any order come to the same permission."""
    shuffled = list(words)
    random.shuffle(shuffled)
    assert may(*shuffled, channel=channel, country=country, policy=policy) == may(
        *words, channel=channel, country=country, policy=policy
    )


@given(st.lists(answers, max_size=8), countries, policies, st.lists(answers, max_size=6), st.integers(0, 4000))
def test_an_opt_out_is_never_undone_by_somebody_elses_word(words, country, policy, others, later):
    """Behind a person's own no, boxes, imports, requests and purchases of any number and date change nothing."""
    latest = max((word.at for word in words), default=NOW) + timedelta(days=1)
    no = Answer(Channel.EMAIL, Purpose.MARKETING, granted=False, at=latest, how=How.UNSUBSCRIBE_LINK)
    strangers = [replace(other, at=other.at + timedelta(days=later)) for other in others if not other.own]
    asked = may(*words, no, *strangers, country=country, policy=policy, last_purchase_at=NOW)
    assert not asked.allowed


@given(st.lists(answers, max_size=8), countries, policies, st.sampled_from(REACHING))
def test_consent_never_appears_from_nothing(words, country, policy, channel):
    """Whatever may go by consent has a yes about that very channel behind it, or a purchase."""
    asked = may(*words, channel=channel, country=country, policy=policy)
    yeses = [word for word in words if word.granted and word.channel is channel]
    assert not asked.allowed or yeses


@given(st.lists(answers, max_size=8), countries, policies, st.sampled_from(REACHING))
def test_only_the_newest_answer_of_a_kind_matters(words, country, policy, channel):
    """What lets the database read a handful of rows: older answers that differ in their date alone change nothing."""
    newest = {}
    for word in sorted(words, key=lambda word: word.at):
        newest[replace(word, at=NOW)] = word
    assert may(*newest.values(), channel=channel, country=country, policy=policy) == may(
        *words, channel=channel, country=country, policy=policy
    )


@given(st.lists(answers, max_size=8), countries, st.sampled_from(REACHING))
def test_a_no_always_counts_when_it_is_the_newest(words, country, channel):
    """By whichever way it came, wherever the person is."""
    latest = max((word.at for word in words), default=NOW) + timedelta(seconds=1)
    for how in set(How) - {How.PURCHASE}:
        no = Answer(channel, Purpose.MARKETING, granted=False, at=latest, how=how)
        assert not may(*words, no, channel=channel, country=country, last_purchase_at=NOW).allowed


@pytest.mark.parametrize("how", sorted(OWN_WORDS - {How.UNSUBSCRIBE_LINK, How.ONE_CLICK, How.PROVIDER_OPTOUT}))
def test_a_later_own_word_undoes_an_opt_out(how):
    """START, the preference centre, a confirmed request and the account do, and a box ticked after that counts too."""
    no = said(How.UNSUBSCRIBE_LINK, 9, granted=False)
    assert may(no) == Permission(allowed=False, rule="opted_out")
    assert may(no, said(how, 5)) == Permission(allowed=True, rule="express")
    assert may(no, said(how, 5), said(How.ORDER_CHECKBOX, 1)).allowed


def test_of_two_words_at_one_moment_the_no_counts():
    """Nobody can say which came first, so the careful reading holds."""
    words = [said(How.PREFERENCE_CENTRE), said(How.ORDER_CHECKBOX, granted=False)]
    for order in itertools.permutations(words):
        assert may(*order) == Permission(allowed=False, rule="no_consent")


def test_a_box_left_empty_is_a_no_until_it_is_ticked():
    """Without an own word the newest box holds, and it is no opt-out."""
    empty, ticked = said(How.ORDER_CHECKBOX, 5, granted=False), said(How.ORDER_CHECKBOX, 2)
    assert may(empty) == Permission(allowed=False, rule="no_consent")
    assert may(empty, ticked).allowed


def test_transactional_messages_need_no_consent():
    """Not even after an opt-out."""
    for channel in Channel:
        asked = permits(
            [said(How.ONE_CLICK, granted=False)], channel=channel, purpose=Purpose.TRANSACTIONAL, country=None, now=NOW
        )
        assert asked == Permission(allowed=True, rule="transactional")


def test_the_inbox_needs_no_yes_and_hears_a_no():
    """It is a page that people come to; who turned it off finds nothing there."""
    assert may(channel=Channel.INBOX) == Permission(allowed=True, rule="inbox")
    assert may(said(How.ONE_CLICK, granted=False), channel=Channel.INBOX).allowed
    off = said(How.PREFERENCE_CENTRE, granted=False, channel=Channel.INBOX)
    assert not may(off, channel=Channel.INBOX).allowed


# ---- double opt-in -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", ["DE", "AT", "GR", None])
@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS, Channel.WHATSAPP])
def test_an_unconfirmed_request_is_no_consent(country, channel):
    """Where double opt-in is wanted, or nobody knows where the person is, only the confirmation counts."""
    asked = said(How.DOUBLE_OPT_IN_REQUESTED, 5, channel=channel)
    assert may(asked, channel=channel, country=country) == Permission(allowed=False, rule="unconfirmed")
    confirmed = said(How.DOUBLE_OPT_IN_CONFIRMED, 4, channel=channel, confirmed=True)
    assert may(asked, confirmed, channel=channel, country=country).allowed


def test_a_request_does_not_take_an_older_yes_back():
    """Who is on the list already and asks again stays on it."""
    confirmed = said(How.DOUBLE_OPT_IN_CONFIRMED, 9, confirmed=True)
    assert may(confirmed, said(How.DOUBLE_OPT_IN_REQUESTED, 1), country="DE").allowed


def test_elsewhere_a_request_is_a_yes_that_undoes_no_opt_out():
    """A single opt-in is enough there; anybody may have typed the address, so it is not the person's own word."""
    request = said(How.DOUBLE_OPT_IN_REQUESTED)
    assert may(request, country="US").allowed
    assert not may(said(How.ONE_CLICK, 5, granted=False), request, country="US").allowed


def test_a_yes_from_the_address_itself_needs_no_second_one():
    """A link that came to the mailbox, a START from the number: that is what a confirmation would be."""
    by_link = said(How.PREFERENCE_CENTRE, confirmed=True)
    assert may(by_link, country="DE").allowed
    assert not may(replace(by_link, confirmed=False), country="DE").allowed
    assert may(said(How.SMS_KEYWORD, channel=Channel.SMS), channel=Channel.SMS, country="DE").allowed


def test_a_request_is_judged_by_the_law_of_its_own_place_and_day():
    """A yes from before the decision, or from abroad, does not lapse with a move or a ruling."""
    before = said(How.DOUBLE_OPT_IN_REQUESTED, (NOW - datetime(2019, 10, 8, tzinfo=UTC)).days, jurisdiction="AT")
    assert may(before, country="AT").allowed
    assert not may(replace(before, at=datetime(2019, 10, 9, tzinfo=UTC)), country="AT").allowed
    assert may(said(How.DOUBLE_OPT_IN_REQUESTED, jurisdiction="US"), country="DE").allowed


def test_a_shop_may_want_its_own_boxes_confirmed():
    """By policy an order's box in Germany counts only with a confirmation; the no of a box always counts."""
    box, policy = said(How.ORDER_CHECKBOX), Policy(confirm_boxes=frozenset({"DE"}))
    assert may(box, country="DE").allowed
    assert may(box, country="DE", policy=policy) == Permission(allowed=False, rule="unconfirmed")
    assert may(box, country="US", policy=policy).allowed


# ---- implied consent -----------------------------------------------------------------------------------------


def test_a_purchase_in_canada_implies_consent_for_two_years():
    """To the day, by the calendar; the day after it is over, and the rule says so (CASL s. 10)."""
    bought = datetime(2024, 11, 22, 12, tzinfo=UTC)
    assert may(country="CA", last_purchase_at=bought + timedelta(seconds=1)) == Permission(
        allowed=True, rule="implied_purchase", expires_at=NOW + timedelta(seconds=1)
    )
    assert may(country="CA", last_purchase_at=bought) == Permission(
        allowed=False, rule="consent_expired", expires_at=NOW
    )
    assert may(said(How.PURCHASE, 30), country="CA").rule == "implied_purchase"
    assert may(country="US", last_purchase_at=NOW) == Permission(allowed=False, rule="no_consent")


def test_an_inquiry_in_canada_implies_consent_for_six_months():
    """The ground that lasts longer is the one named."""
    asked = datetime(2026, 5, 31, tzinfo=UTC)
    found = may(country="CA", last_inquiry_at=asked)
    assert (found.rule, found.expires_at) == ("implied_inquiry", datetime(2026, 11, 30, tzinfo=UTC))
    assert may(country="CA", last_inquiry_at=asked, last_purchase_at=asked).rule == "implied_purchase"


def test_a_leap_day_lasts_to_the_end_of_february():
    """Two years after 29 February is 28 February."""
    found = permits(
        [],
        channel=Channel.EMAIL,
        purpose=Purpose.MARKETING,
        country="CA",
        last_purchase_at=datetime(2028, 2, 29, 9, tzinfo=UTC),
        now=datetime(2029, 1, 1, tzinfo=UTC),
    )
    assert found.expires_at == datetime(2030, 2, 28, 9, tzinfo=UTC)


def test_express_consent_in_canada_does_not_expire_and_a_no_ends_the_implied_one():
    """A yes of ten years ago holds; an opt-out outweighs every purchase."""
    assert may(said(How.ORDER_CHECKBOX, 3650), country="CA") == Permission(allowed=True, rule="express")
    assert not may(said(How.ONE_CLICK, 5, granted=False), country="CA", last_purchase_at=NOW).allowed


def test_the_soft_opt_in_holds_only_where_the_shop_says_so():
    """It depends on what the shop told buyers, so it is off until a shop turns it on, country by country."""
    policy = Policy(soft_opt_in=frozenset({"DE", "FR", "US"}))
    assert may(country="DE", last_purchase_at=NOW).rule == "no_consent"
    assert may(country="DE", last_purchase_at=NOW, policy=policy) == Permission(allowed=True, rule="soft_opt_in")
    assert may(country="US", last_purchase_at=NOW, policy=policy).rule == "no_consent"
    old = NOW - timedelta(days=3 * 365 + 2)
    assert may(country="DE", last_purchase_at=old, policy=policy).allowed
    assert may(country="FR", last_purchase_at=old, policy=policy).rule == "consent_expired"


@given(st.sampled_from(STRICT), countries, policies)
def test_texts_and_notifications_always_need_a_yes(channel, country, policy):
    """No purchase or inquiry implies anything for them, anywhere."""
    assert not may(channel=channel, country=country, policy=policy, last_purchase_at=NOW, last_inquiry_at=NOW).allowed


# ---- wishes --------------------------------------------------------------------------------------------------


def test_a_topic_that_was_declined_is_left_out_and_the_others_are_not():
    """On every channel, until the newest word about it is a yes again."""
    yes = said(How.PREFERENCE_CENTRE, 9)
    off = Answer(None, Purpose.MARKETING, False, NOW - timedelta(days=5), How.PREFERENCE_CENTRE, Topic.OFFERS)
    on = replace(off, granted=True, at=NOW - timedelta(days=1))
    assert topics_refused([off]) == {Topic.OFFERS}
    assert may(yes, off, topic=Topic.OFFERS) == Permission(allowed=False, rule="topic_refused")
    assert may(yes, off, topic=Topic.TIPS).allowed
    assert may(yes, on, off, topic=Topic.OFFERS).allowed
    assert not may(on, topic=Topic.OFFERS).allowed


def test_wishes_say_how_long_to_rest_and_how_often():
    """A pause that is over is none; fewer is once a week."""
    wishes = Preferences(frequency=Frequency.FEWER, paused_until=NOW)
    assert (wishes.rests_until(NOW), wishes.rests_until(NOW - timedelta(seconds=1))) == (None, NOW)
    assert (wishes.wished_gap, Preferences().wished_gap) == (timedelta(days=7), None)


def test_the_word_that_holds_is_the_evidence():
    """It is the answer itself, so that it can be shown to whoever asks."""
    no, box = said(How.ONE_CLICK, 5, granted=False), said(How.ORDER_CHECKBOX, 1)
    assert word_that_holds([box, no], channel=Channel.EMAIL, country="US") is no
    assert word_that_holds([box], channel=Channel.SMS, country="US") is None


# ---- the table -----------------------------------------------------------------------------------------------


def test_no_two_rows_hold_at_once_and_each_has_its_source():
    """For one jurisdiction each day has one law at most."""
    for name, rows in itertools.groupby(
        sorted(LAWS, key=lambda law: (law.jurisdiction, law.since)), lambda law: law.jurisdiction
    ):
        listed = list(rows)
        assert all(law.source for law in listed)
        for earlier, later in itertools.pairwise(listed):
            assert earlier.until is not None, name
            assert earlier.until <= later.since, name


def test_where_the_table_is_silent_nothing_is_implied():
    """Neither before a law began nor where there is none; whatever the case the country is written in."""
    for country, day in (("US", NOW.date()), ("CA", date(2014, 6, 30))):
        law = law_of(country, None, day)
        assert (law.confirm, law.purchase_months, law.soft_opt_in) == (False, None, False)
    assert law_of("de", "BE", NOW.date()).confirm
    assert needs_confirmation(Channel.EMAIL, None, NOW)
    assert not needs_confirmation(Channel.PUSH, "DE", NOW)
