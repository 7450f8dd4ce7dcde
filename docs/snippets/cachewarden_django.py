"""Cachewarden in Django, with the package clients/python. In settings.py:

    MIDDLEWARE = [..., "cachewarden.django.CachewardenMiddleware"]
    CACHEWARDEN_URL = "http://127.0.0.1:8000"
    CACHEWARDEN_KEY = ...  # cachewarden key create shop --scope admin
"""

from cachewarden.django import cached, clear_on_save
from django.http import HttpResponse


def ready(order_model):
    """In apps.py: an order that was saved makes the view of its customer out of date."""
    clear_on_save(order_model, "customer_id")


def count_orders(request, order_model):
    """In views.py."""
    return HttpResponse(cached(request, "orders", order_model.objects.count))
