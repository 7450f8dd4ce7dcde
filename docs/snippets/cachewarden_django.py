"""Cachewarden in Django: request.view for each request, and a clear after each save.

settings.py:
    MIDDLEWARE = [..., "cachewarden_django.CachewardenMiddleware"]
    CACHEWARDEN_URL = "http://127.0.0.1:8000"
    CACHEWARDEN_KEY = ...  # cachewarden key create shop --scope admin

apps.py, in ready(): a saved order makes the view of its customer out of date.
    clear_on_save(Order, lambda order: order.customer_id)
Where customers have UUIDs and the tokens an issuer of their own ("shop"), Cachewarden knows the number:
    clear_on_save(Order, lambda order: order.customer_id, issuer="shop")
bulk_create, bulk_update and QuerySet.update send no signal: after one of them, call
    clear_on_commit(customer_id)

views.py:
    return JsonResponse(cached(request, "orders", lambda: orders_of(request.user)))
"""

import logging

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models.signals import post_delete, post_save

import cachewarden_client
from cachewarden_client import View

log = logging.getLogger(__name__)


def view_of(request):
    try:
        return cachewarden_client.check(settings.CACHEWARDEN_URL, cachewarden_client.credential_of(request.headers))
    except OSError as error:
        log.warning("cachewarden: %s; this request goes without a cache", error)
        return View()


class CachewardenMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.view = view_of(request)
        response = self.get_response(request)
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            request.view = view_of(request)  # the page shall hear of the clear with this answer
        for name, value in request.view.headers().items():
            response[name] = value
        return response


def cached(request, name, make, timeout=3600):
    """make(), or what it returned when it was last called for this user, version and query (?page=2)."""
    key = request.view.key(f"{name}?{request.GET.urlencode()}")
    return make() if key is None else cache.get_or_set(key, make, timeout)


def clear_now(user, issuer=None):
    """Clears the view of a user: by number, or as the issuer names them."""
    at = settings.CACHEWARDEN_URL, settings.CACHEWARDEN_KEY
    try:
        user_id = user if issuer is None else cachewarden_client.user_of(*at, issuer, user)
        if user_id is not None:  # else they have not been here, and have no view
            cachewarden_client.clear_user(*at, user_id)
    except OSError as error:
        log.error("cachewarden: user %s keeps an old view: %s", user, error)


def clear_on_commit(user, issuer=None):
    transaction.on_commit(lambda: clear_now(user, issuer))


def clear_on_save(model, owner, issuer=None):
    """Clears the view of owner(instance) once a save or a deletion is committed."""

    def on_change(instance, **_):
        clear_on_commit(owner(instance), issuer)

    post_save.connect(on_change, sender=model, weak=False)
    post_delete.connect(on_change, sender=model, weak=False)
