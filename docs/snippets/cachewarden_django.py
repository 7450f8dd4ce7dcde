"""Cachewarden in Django: request.view for each request, and a clear after each save.

settings.py:
    MIDDLEWARE = [..., "cachewarden_django.CachewardenMiddleware"]
    CACHEWARDEN_URL = "http://127.0.0.1:8000"
    CACHEWARDEN_KEY = ...  # cachewarden key create shop --scope admin

apps.py, in ready(): a saved order makes the view of its customer out of date.
    clear_on_save(Order, lambda order: order.customer_id)

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
    authorization = request.headers.get("Authorization")
    if not authorization:
        return View()
    try:
        return cachewarden_client.check(settings.CACHEWARDEN_URL, authorization)
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
    """make(), or what it returned when it was last called for this user in this version."""
    key = request.view.key(name)
    return make() if key is None else cache.get_or_set(key, make, timeout)


def clear_on_save(model, owner):
    """Clears the view of owner(instance), a user id, once a save or a deletion is committed."""

    def clear(user_id):
        try:
            cachewarden_client.clear_user(settings.CACHEWARDEN_URL, settings.CACHEWARDEN_KEY, user_id)
        except OSError as error:
            log.error("cachewarden: user %s keeps an old view: %s", user_id, error)

    def on_change(instance, **_):
        user_id = owner(instance)
        transaction.on_commit(lambda: clear(user_id))

    post_save.connect(on_change, sender=model, weak=False)
    post_delete.connect(on_change, sender=model, weak=False)
