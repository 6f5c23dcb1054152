"""Reading the proofs: what is wrong with the copy, found before anybody sends it."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from jinja2 import meta, nodes

from activities.messaging.brand import Brand
from activities.messaging.compiled import Compiled
from activities.messaging.language import DEFAULT_LANGUAGE
from activities.messaging.mjml import stage_two
from activities.messaging.samples import samples
from activities.messaging.short import BODY, PUSHED, SEGMENTS, TITLE, Short
from activities.messaging.text.segments import count
from journey.playbook import Channel

SHORT_CHANNELS: Final = (Channel.SMS, Channel.WHATSAPP, Channel.PUSH, Channel.INBOX)
"""One of the two kinds of notification stands for both."""
_SIGNED_LINK: Final = 90
"""About as long as a signed link to an order's page is with a host of ordinary length."""
_FORBIDDEN_IN_PARAMETERS = re.compile(r"[\n\t]| {4}")


def roots() -> dict[str, frozenset[str]]:
    """The names a template may use, each with what may stand behind its dot."""
    found: dict[str, set[str]] = {"brand": set(Brand.model_fields), "subject": set(), "preview": set()}
    for about in ("order", "parcel", "remedy"):
        for _, context in samples("either", about):
            for root, value in context.items():
                found.setdefault(root, set()).update(value if isinstance(value, Mapping) else ())
    return {root: frozenset(names) for root, names in found.items()}


def unknown_names(mail: Compiled, language: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """Name what a template asks for and no context has, in branches that no sample order reaches, too."""
    text = stage_two("text", DEFAULT_LANGUAGE)
    trees = [text.parse(mail.sources.text), text.parse(mail.short.source)]
    if language == DEFAULT_LANGUAGE:  # the HTML's own expressions are the same in every language
        trees.append(stage_two("html", language).parse(mail.sources.html))
    for tree in trees:
        yield from sorted(meta.find_undeclared_variables(tree) - set(known))
        for node in tree.find_all(nodes.Getattr):
            if isinstance(node.node, nodes.Name):
                root = node.node.name
                if known.get(root) and node.attr not in known[root]:
                    yield f"{root}.{node.attr}"


def gaps(english: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Name the keys that English has and another language has not, `a.b` for one inside another.

    Languages may differ in how many paragraphs they need, so lists are not compared.
    """
    for key, value in english.items():
        if key not in other:
            yield key
        elif isinstance(value, Mapping):
            inner = other[key]
            yield from (f"{key}.{gap}" for gap in gaps(value, inner if isinstance(inner, Mapping) else {}))


def mail_faults(subject: str, preview: str, html: str, text: str, context: Mapping[str, Any]) -> list[str]:
    """What is wrong with a mail filled in with a sample."""
    found = [f"the {part} is empty" for part, line in (("subject", subject), ("preview", preview)) if not line]
    if re.search(r"</?mj-|<!--%|\[\[|\{[{%]", html):
        found.append("the HTML part still holds template code")
    if re.search(r"</?[a-z][^>]*>|\[\[|\{[{%]|\*\*", text):
        found.append("the text part holds markup or template code")
    unsubscribe = context["links"]["unsubscribe"]
    if unsubscribe and not (unsubscribe in html and unsubscribe in text):
        found.append("a marketing mail without a way out: the layout must show links.unsubscribe")
    return found


def short_faults(channel: Channel, short: Short, purpose: str) -> list[str]:
    """What is wrong with a short text filled in with a sample."""
    found = []
    if re.search(r"\[\[|\{[{%]|</?[a-z][^>]*>|\*\*", short.body + short.title):
        found.append("the text holds markup or template code")
    if not short.body:
        found.append("the text is empty")
    if channel is Channel.SMS:
        come_to = count(short.body)
        if come_to.segments > SEGMENTS[purpose]:
            found.append(
                f"{come_to.segments} SMS ({come_to.units} characters, {come_to.encoding.value}): a {purpose} text may"
                f" come to {SEGMENTS[purpose]}; shorten 'short'"
            )
    if channel in PUSHED:
        for part, line, most in (("title", short.title, TITLE), ("body", short.body, BODY)):
            if len(line) > most:
                found.append(f"the {part} has {len(line)} characters: a phone shows {most}; shorten 'push'")
    if channel is Channel.WHATSAPP:
        # Meta refuses a parameter that is empty or holds line ends, tabs or more than four blanks in a row.
        found += [
            f"parameter {n} is empty or has line ends, tabs or runs of blanks; WhatsApp refuses that"
            for n, one in enumerate(short.parameters, start=1)
            if not one or _FORBIDDEN_IN_PARAMETERS.search(one)
        ]
    return found


def signed(context: Mapping[str, Any]) -> dict[str, Any]:
    """A sample with links as long as signed ones are, so that an SMS is counted as it will be sent."""
    links = {
        name: link.ljust(_SIGNED_LINK, "x") if link and name in ("order", "review") else link
        for name, link in context["links"].items()
    }
    return {**context, "links": links}
