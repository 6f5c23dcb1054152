"""The search attributes that a Temporal namespace must know before a journey can start with them."""

from collections.abc import Mapping

import structlog
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

_log = structlog.get_logger(__name__)


async def register(client: Client, wanted: Mapping[str, str]) -> bool:
    """Register those that the client's namespace lacks; False when there were any: it takes seconds to know them.

    Args:
        client: of the namespace.
        wanted: name to type (`Keyword`, `KeywordList`, …).

    Raises:
        RPCError: it may not be asked, or told.
    """
    operator = client.operator_service
    known = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    missing = wanted.keys() - known.custom_attributes.keys()
    if missing:
        kinds = {name: _indexed_type(wanted[name]) for name in missing}
        await operator.add_search_attributes(
            AddSearchAttributesRequest(namespace=client.namespace, search_attributes=kinds)
        )
    return not missing


async def register_where_allowed(client: Client, wanted: Mapping[str, str]) -> None:
    """The same at boot; where it is not allowed, the log says what an operator has to register."""
    try:
        await register(client, wanted)
    except RPCError as error:
        _log.warning("search attributes may have to be registered by hand", names=sorted(wanted), why=error.status.name)


def _indexed_type(kind: str) -> "IndexedValueType.ValueType":
    snake = "".join(f"_{c}" if c.isupper() else c.upper() for c in kind)
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE{snake}")
