"""Signed links to a customer's own pages. A token holds an order's ids, never anything about the person."""

from itsdangerous import BadData, URLSafeSerializer

_ORDER = "postlude.order-page"
_UNSUBSCRIBE = "postlude.unsubscribe"
_PARTS = 2


class Links:
    """Makes and reads links, each purpose under its own salt, so that one kind of token never opens another page.

    Links do not expire: a mail may be read, and an opt-out must work, years later. A new secret key ends them all.
    """

    def __init__(self, secret_key: str, public_url: str) -> None:
        """Prepare the signer.

        Args:
            secret_key: signs the tokens; everybody who has it can open every order's page.
            public_url: where the gateway is reached from outside, such as `https://mail.shop.example`.

        Raises:
            ValueError: the secret key is empty.
        """
        if not secret_key:
            raise ValueError("the secret key may not be empty: it signs the customers' links")
        self._order = URLSafeSerializer(secret_key, salt=_ORDER)
        self._unsubscribe = URLSafeSerializer(secret_key, salt=_UNSUBSCRIBE)
        self._base = public_url.rstrip("/")

    def order(self, shop: str, order_id: str) -> str:
        """The address of an order's page."""
        return f"{self._base}/o/{_sign(self._order, shop, order_id)}"

    def unsubscribe(self, shop: str, order_id: str) -> str:
        """The address that opts the order's customer out of marketing mail; fit for `List-Unsubscribe`."""
        return f"{self._base}/u/{_sign(self._unsubscribe, shop, order_id)}"

    def read_order(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an order link's token; None when it was cut, altered or made elsewhere."""
        return _read(self._order, token)

    def read_unsubscribe(self, token: str) -> tuple[str, str] | None:
        """The (shop, order id) of an unsubscribe link's token; None when it was cut, altered or made elsewhere."""
        return _read(self._unsubscribe, token)


def _sign(signer: URLSafeSerializer, shop: str, order_id: str) -> str:
    token = signer.dumps([shop, order_id])
    return token if isinstance(token, str) else token.decode()


def _read(signer: URLSafeSerializer, token: str) -> tuple[str, str] | None:
    try:
        ids = signer.loads(token)
    except (BadData, ValueError):
        return None
    if not isinstance(ids, list) or len(ids) != _PARTS or not all(isinstance(part, str) for part in ids):
        return None
    return ids[0], ids[1]
