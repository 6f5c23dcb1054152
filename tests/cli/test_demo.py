import json
from collections import Counter

from tests.cli.commands import postlude
from workers.mail_catcher import MailFolder


def test_the_demo_plays_eight_whole_journeys(playbook, home):
    """`postlude demo --exit --json` prints one object: every journey finished, each mail caught once, rules kept."""
    folder = home / "demo"
    environment = {"POSTLUDE_HOME": str(folder), "POSTLUDE_LISTEN": "127.0.0.1:0"}
    ran = postlude("demo", "--exit", "--json", environment=environment, timeout=180)
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert set(found) == {"orders", "seconds", "mails", "links"}
    orders = {order["order"]: order for order in found["orders"]}
    assert len(orders) == 8
    assert {order["status"] for order in orders.values()} == {"finished"}

    mails = MailFolder(folder / "mail")
    assert max(mails.count_by_message_id().values()) == 1
    sent = Counter(
        (name, message["touch"])
        for name, order in orders.items()
        for message in order["messages"]
        if message["status"] == "sent"
    )
    assert Counter((mail.order, mail.touch) for mail in mails.messages()) == sent
    assert found["mails"] == sum(sent.values())

    def purposes(order):
        touches = [touch for name, touch in sent if name == order]
        return {playbook.by_id[touch.partition(":")[0]].purpose for touch in touches}

    cancelled, no_consent = (f"fernhill.myshopify.com/540000000100{number}" for number in (7, 8))
    assert purposes(cancelled) == {"transactional"}
    assert purposes(no_consent) == {"transactional"}
    rules = {message["rule"] for message in orders[no_consent]["messages"] if message["status"] == "refused"}
    assert rules == {"no_consent", "condition"}

    first = {message["touch"]: message for message in orders["fernhill/1001"]["messages"]}
    assert first["whats_new"]["rule"] == "ended_by_customer_reordered"
    assert ("fernhill/1002", "vip_invite") in sent
    lost = {touch.partition(":")[0] for name, touch in sent if name.endswith("1006")}
    assert {"delayed", "parcel_lost"} <= lost
    assert sum(touch.startswith("shipped:") for name, touch in sent if name == "fernhill/1004") == 2


def test_json_alone_is_a_wrong_use(home):
    """`--json` without `--exit` would never print anything, so it is refused."""
    ran = postlude("demo", "--json", environment={"POSTLUDE_HOME": str(home / "none")})
    assert (ran.code, ran.out) == (2, "")
    assert "--json needs --exit" in ran.err
