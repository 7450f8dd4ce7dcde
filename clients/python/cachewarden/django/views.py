"""Whose view an answer is made for, and data that is cached for it."""

import hashlib
import re

from django.core.cache import cache

from ..cache import shortened
from ..view import credential_of
from .config import cache_service, client, model_names

_READS = ("GET", "HEAD", "OPTIONS")
# What memcached takes as a key, with the prefix that Django puts before it.
_PLAIN = re.compile("[!-~]+")
_MOST = 250


class CachewardenMiddleware:
    """Asks once for each request, and once more after a write: the page hears of the clear with this answer."""

    def __init__(self, get_response):
        self._get_response = get_response

    def __call__(self, request):
        credential = credential_of(request.headers)
        request.view = client().view(credential)
        response = self._get_response(request)
        if request.method not in _READS:
            request.view = client().view(credential)
        for name, value in request.view.headers().items():
            response[name] = value
        return response


def cached(request, name, make, timeout=3600):
    """make(), or what it returned when it was last called for this user, version, path and query (?page=2).

    It is kept in Django's cache. For what several pages share, make a key of your own: request.view.key("menu").
    """
    key = request.view.key(_of_page(request, name))
    return make() if key is None else cache.get_or_set(_for_any_cache(key), make, timeout)


def _for_any_cache(key):
    """The key, or one that stands for it: not all of Django's caches take a long one, or a space."""
    if _PLAIN.fullmatch(key) and len(cache.make_key(key)) <= _MOST:
        return key
    return f"{re.sub('[^!-~]', '_', key[:64])}:{hashlib.sha256(key.encode(errors='surrogatepass')).hexdigest()}"


def remember(request, name, *, fill, ttl=3600, models=()):
    """The same in the cache service, where clear_model() drops it, too, and one process fills it for all."""
    key = request.view.key(_of_page(request, name))
    if key is None:
        return fill()
    return cache_service().remember(shortened(key), fill=fill, ttl=ttl, models=model_names(models))


def _of_page(request, name):
    return f"{name}:{request.get_full_path()}"
