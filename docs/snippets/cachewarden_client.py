"""Cachewarden from Python, with the package clients/python."""

from cachewarden import Client, credential_of

client = Client.from_environment()  # CACHEWARDEN_URL, and CACHEWARDEN_KEY or CACHEWARDEN_KEY_FILE


def orders(headers, cache, read_orders):
    """What the sender of a request gets, out of your cache or from the source, and the fields for their page."""
    view = client.view(credential_of(headers))
    key = view.key("orders?page=1")
    return (cache.get_or_set(key, read_orders, 3600) if key else read_orders()), view.headers()


def after_a_write(customer_id):
    client.clear_user(customer_id)
