"""The codec server of Temporal's UI and CLI: it decrypts what they show, for operators, where an origin is named.

https://docs.temporal.io/production-deployment/data-encryption#codec-server-setup describes what both ask. Whoever
reaches these addresses reads what is in Temporal, so they are on the operators' listener and closed by default.
"""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from temporalio.api.common.v1 import Payloads
from temporalio.converter import PayloadCodec

from workers.codec import PayloadKeyError

_MOST: Final = 4 * 1024 * 1024
"""Bytes of a request: what Temporal hands over at once is smaller."""


def codec_routes(codec: PayloadCodec, origin: str) -> APIRouter:
    """`/codec/decode` and `/codec/encode`, for pages of `origin` (the UI's address) and for the CLI."""
    routes = APIRouter(prefix="/codec", include_in_schema=False)
    allowed = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Content-Type, X-Namespace",
        "Vary": "Origin",
    }

    @routes.options("/decode")
    @routes.options("/encode")
    async def preflight() -> Response:
        return Response(status_code=204, headers=allowed)

    @routes.post("/{way}")
    async def translate(way: str, request: Request) -> Response:
        asked = request.headers.get("origin")
        if way not in {"decode", "encode"} or asked not in {None, origin}:
            return JSONResponse({"error": "not here"}, 404)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST:
                return JSONResponse({"error": "too large"}, 413, {**allowed, "Connection": "close"})
        try:
            payloads = Parse(bytes(body), Payloads())
            done = await (codec.decode if way == "decode" else codec.encode)(payloads.payloads)
        except (ParseError, UnicodeDecodeError):
            return JSONResponse({"error": "no payloads"}, 400, allowed)
        except PayloadKeyError as error:
            return JSONResponse({"error": str(error)}, 400, allowed)
        return JSONResponse(MessageToDict(Payloads(payloads=done)), headers=allowed)

    return routes
