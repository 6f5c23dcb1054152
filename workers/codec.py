"""Encryption of what is left in Temporal: inputs, results, signals, queries and failures, under keys that rotate.

The first key encrypts, all decrypt, and what is not encrypted passes as it is: histories from before stay readable,
with and without keys. Ids, types, search attributes and timers are Temporal's own and stay plain.
"""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from workers.settings import SettingMissingError, Settings

_ENCODING: Final = b"binary/encrypted"
_CIPHER: Final = b"AES-256-GCM"
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


class PayloadKeyError(Exception):
    """A payload cannot be read with the keys that are here; the message names the key's id, never the payload."""


class EncryptedPayloads(PayloadCodec):
    """AES-256-GCM over whole payloads. A payload is bound to the id of its key."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Prepare to encrypt with the first of `keys` (id, 32 bytes) and to decrypt with any.

        Raises:
            ValueError: there is none, one is of another length, or two have one id.
        """
        if not keys:
            raise ValueError("there is no key")
        for key_id, key in keys:
            if not _ID.fullmatch(key_id):
                raise ValueError("an id is up to 64 letters, digits, '.', '_' and '-'")
            if len(key) != _KEY_BYTES:
                raise ValueError(f"key {key_id} has {len(key)} bytes, not {_KEY_BYTES}")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        if len(self._ciphers) != len(keys):
            raise ValueError("two keys have one id")
        self._current = keys[0][0]

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads, each encrypted by the first key."""
        return [self._encrypted(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads as they were; those that are not encrypted as they are.

        Raises:
            PayloadKeyError: the key of one is not here, or it was altered.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        key_id = self._current.encode()
        sealed = self._ciphers[self._current].encrypt(nonce, payload.SerializeToString(), key_id)
        metadata = {"encoding": _ENCODING, "encryption-cipher": _CIPHER, "encryption-key-id": key_id}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != _ENCODING:
            return payload
        key_id = payload.metadata.get("encryption-key-id", b"")
        cipher = self._ciphers.get(key_id.decode("utf-8", "replace"))
        if cipher is None:
            raise PayloadKeyError(f"POSTLUDE_PAYLOAD_KEYS has no key {key_id!r}, which a payload was encrypted with")
        try:
            plain = cipher.decrypt(payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:], key_id)
        except (InvalidTag, ValueError) as error:
            raise PayloadKeyError(f"a payload does not fit its key {key_id!r}") from error
        return Payload.FromString(plain)


def payload_codec(settings: Settings) -> EncryptedPayloads | None:
    """The codec of `POSTLUDE_PAYLOAD_KEYS`, a list of ID:BASE64 with blanks or commas between; None where it is unset.

    Raises:
        SettingMissingError: it is malformed; nothing of it is repeated but ids.
    """
    given = settings.given("payload_keys")
    if given is None:
        return None
    try:
        return EncryptedPayloads([_key(one) for one in given.replace(",", " ").split()])
    except ValueError as error:
        raise SettingMissingError(
            f"POSTLUDE_PAYLOAD_KEYS: {error}; give ID:KEY, 32 bytes each in base64 (`openssl rand -base64 32`)"
        ) from error


def encrypting(plain: DataConverter, codec: PayloadCodec | None) -> DataConverter:
    """The converter with a codec over its payloads and its failures' words; the plain one without a codec."""
    if codec is None:
        return plain
    failures = DefaultFailureConverterWithEncodedAttributes
    return replace(plain, payload_codec=codec, failure_converter_class=failures)


def _key(text: str) -> tuple[str, bytes]:
    key_id, colon, encoded = text.partition(":")
    if not colon:
        raise ValueError("a key has no id")
    try:
        return key_id, base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ValueError("a key is no base64") from None
