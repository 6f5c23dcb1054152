"""Conditions are read by the rules and written by people: wrong ones are refused by name and never crash a journey."""

import pytest

from journey.conditions import SAMPLE, ConditionError, check_condition, holds

NOTHING = SAMPLE._replace(order=SAMPLE.order._replace(categories=(), skus=()))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("order.total >= 50", True),
        ("customer.repeat", False),
        ("'fitness' in order.categories and not order.digital", True),
        ("order.country in ['DE', 'AT'] and journey.rating >= 4", True),
        ("order.categories", True),
    ],
)
def test_a_condition_reads_order_customer_and_journey(condition, expected):
    """What `Circumstances` holds can be compared, sought and combined."""
    assert holds(condition, SAMPLE) is expected


@pytest.mark.parametrize(
    "condition", ["order.totl > 5", "customer.email", "order >", "order.total > 'a lot'", "secret"]
)
def test_a_wrong_condition_is_refused_when_the_playbook_is_read(condition):
    """The mistake is named, and what can be read is listed."""
    with pytest.raises(ConditionError, match=r"order\.total"):
        check_condition(condition)


@pytest.mark.parametrize(
    "condition",
    [
        "'{0}'.format(*order.categories) == ''",
        "order.categories[0] == 'fitness'",
        "order.categories.index('fitness') == 0",
        "order.total / order.skus | length > 1",
        "'%d' % order.country",
        "(order.categories | first).upper() == 'A'",
    ],
)
def test_a_condition_that_fails_on_one_order_only_is_a_named_error(condition):
    """It may pass on the sample and fail on an order without categories: that is an error to report, not a crash."""
    with pytest.raises(ConditionError, match="condition"):
        holds(condition, NOTHING)


@pytest.mark.parametrize(
    "condition",
    [
        "order.__class__",
        "''.__class__.__mro__",
        "order._replace(total=0)",
        "range(9) | list",
        "cycler",
        "order.total.__init__.__globals__",
    ],
)
def test_a_condition_sees_nothing_of_the_machine(condition):
    """The sandbox has no way out and no helpers in."""
    with pytest.raises(ConditionError):
        check_condition(condition)
