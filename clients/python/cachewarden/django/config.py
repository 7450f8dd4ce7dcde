"""The one client of a process, made from the settings when it is asked for first."""

import functools

from django.conf import settings
from django.core.signals import setting_changed

from ..client import Client


@functools.lru_cache(maxsize=None)
def client():
    options = {"timeout": getattr(settings, "CACHEWARDEN_TIMEOUT", 0.5)}
    return Client(settings.CACHEWARDEN_URL, getattr(settings, "CACHEWARDEN_KEY", None), **options)


@functools.lru_cache(maxsize=None)
def cache_service():
    """The cache service in the application's namespace; see cachewarden.Cache."""
    return client().cache(getattr(settings, "CACHEWARDEN_ENTRIES_KEY", None))


def model_name(model):
    """What the cache service calls a model: shop.Order. A name stays what it is."""
    return model if isinstance(model, str) else model._meta.label


def model_names(models):
    if isinstance(models, str) or not isinstance(models, (list, tuple, set, frozenset)):
        models = (models,)
    return [model_name(model) for model in models]


def _forget_clients(setting, **_):
    if setting.startswith("CACHEWARDEN_"):
        cache_service.cache_clear()
        client.cache_clear()


setting_changed.connect(_forget_clients)  # override_settings of a test
