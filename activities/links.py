"""Signed links to the customers' pages: ids only inside, one salt a purpose, so that no link does another's work."""

from itsdangerous import BadData, URLSafeSerializer


class Links:
    """Makes and reads the links of one shop front; `public_url` is where the portal is reached."""

    def __init__(self, secret_key: str, public_url: str) -> None:
        self._base = public_url.rstrip("/")
        self._order = URLSafeSerializer(secret_key, salt="postlude.order")
        self._unsubscribe = URLSafeSerializer(secret_key, salt="postlude.unsubscribe")

    def order(self, shop: str, order_id: str) -> str:
        """The order's page."""
        return f"{self._base}/o/{self._order.dumps([shop, order_id])}"

    def unsubscribe(self, shop: str, order_id: str) -> str:
        """Where the customer of that order opts out of marketing mail."""
        return f"{self._base}/u/{self._unsubscribe.dumps([shop, order_id])}"

    def read_order(self, token: str) -> tuple[str, str] | None:
        """Shop and order id of an order link; None when it was cut or altered."""
        return _read(self._order, token)

    def read_unsubscribe(self, token: str) -> tuple[str, str] | None:
        """Shop and order id of an unsubscribe link; None when it was cut or altered."""
        return _read(self._unsubscribe, token)


def _read(serializer: URLSafeSerializer, token: str) -> tuple[str, str] | None:
    try:
        match serializer.loads(token):
            case [str(shop), str(order_id)]:
                return shop, order_id
    except BadData:
        pass
    return None
