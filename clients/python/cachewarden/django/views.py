"""Whose view an answer is made for, and data that is cached for it."""

from django.core.cache import cache

from ..cache import shortened
from ..view import credential_of
from .config import cache_service, client, model_names

_READS = ("GET", "HEAD", "OPTIONS")


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
    return make() if key is None else cache.get_or_set(key, make, timeout)


def remember(request, name, *, fill, ttl=3600, models=()):
    """The same in the cache service, where clear_model() drops it, too, and one process fills it for all."""
    key = request.view.key(_of_page(request, name))
    if key is None:
        return fill()
    return cache_service().remember(shortened(key), fill=fill, ttl=ttl, models=model_names(models))


def _of_page(request, name):
    return f"{name}:{request.get_full_path()}"
