"""When nothing more is waited for: the one rule by which an order is said to be packed, or not to have left yet."""


def awaits_dispatch(*, travels: bool, over: bool, sent: bool) -> bool:
    """Whether an order still has to leave.

    Args:
        travels: whether any of its lines is goods, bought elsewhere than at a till. An order that was edited down to
            nothing, or to access and services, has none.
        over: whether it was called off or paid back.
        sent: whether anything of it was handed over, with a tracking number or without one, or is kept ready in the
            shop's own store. What was called off again was not.
    """
    return travels and not over and not sent
