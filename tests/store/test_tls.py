"""TLS to PostgreSQL as the connection string asks for it, against a server whose CA is the test's own."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from store.pool import connect
from tests.store.books import NOON
from tests.support.sockets import HOST

_ASKS_FOR_TLS = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def certificate(name, *, signed_by=None):
    """A certificate and its key; its own CA, or signed by one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = signed_by or (None, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(days=3_650))
        .not_valid_after(NOON + timedelta(days=36_500))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(*(issuer is not None, *[False] * 4, issuer is None, issuer is None, False, False)),
            critical=True,
        )
        .sign(issuer_key, hashes.SHA256())
    )
    return made, key


def written(path: Path, made, key=None) -> Path:
    """As PEM, with the key where one is given."""
    text = made.public_bytes(serialization.Encoding.PEM)
    if key is not None:
        text += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    path.write_bytes(text)
    return path


@asynccontextmanager
async def in_front_of(database_url, pem: Path | None):
    """A TCP port in front of the database's socket that speaks TLS with that certificate, or refuses to."""
    folder = parse_qs(urlsplit(database_url).query)
    path = f"{folder['host'][0]}/.s.PGSQL.{folder['port'][0]}"
    context = None
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)

    async def serve(reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError):
            assert await reader.readexactly(8) == _ASKS_FOR_TLS
            writer.write(b"S" if context else b"N")
            await writer.drain()
            if context:
                await writer.start_tls(context)
            upstream, upwards = await asyncio.open_unix_connection(path)
            await asyncio.gather(pipe(reader, upwards), pipe(upstream, writer))
        writer.close()

    async def pipe(source, sink):
        with suppress(OSError, ssl.SSLError):
            while part := await source.read(65536):
                sink.write(part)
                await sink.drain()
        sink.close()

    server = await asyncio.start_server(serve, HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture(scope="module")
def authority():
    return certificate("postlude test authority")


async def ask(database_url, port, query):
    name = urlsplit(database_url).path
    pool = await connect(f"postgresql://postgres@localhost:{port}{name}?{query}", size=1)
    try:
        return await pool.fetchval("SELECT 41 + 1")
    finally:
        await pool.close()


async def test_a_server_that_the_own_ca_vouches_for_is_asked(database_url, tmp_path, authority):
    """verify-full takes the certificate that fits name and CA; it refuses another CA's, and another name's."""
    ca = written(tmp_path / "ca.pem", authority[0])
    strangers = written(tmp_path / "strangers.pem", certificate("somebody else")[0])
    fits = written(tmp_path / "fits.pem", *certificate("localhost", signed_by=authority))
    other = written(tmp_path / "other.pem", *certificate("db.example", signed_by=authority))
    async with in_front_of(database_url, fits) as port:
        assert await ask(database_url, port, f"sslmode=verify-full&sslrootcert={ca}") == 42
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(database_url, port, f"sslmode=verify-full&sslrootcert={strangers}")
    async with in_front_of(database_url, other) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(database_url, port, f"sslmode=verify-full&sslrootcert={ca}")


async def test_a_server_without_tls_is_refused_where_it_is_asked_for(database_url, tmp_path, authority):
    """Whoever sits between and says that there is no TLS gets no password."""
    ca = written(tmp_path / "ca.pem", authority[0])
    async with in_front_of(database_url, None) as port:
        with pytest.raises((ConnectionError, asyncpg.PostgresError)):
            await ask(database_url, port, f"sslmode=verify-full&sslrootcert={ca}")
