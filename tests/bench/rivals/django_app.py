"""The status of a user's cache with Django REST framework and simplejwt, as one file."""
import os

import django
import redis
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ["SECRET"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    REST_FRAMEWORK={
        # The token alone, no account looked up: the quickest that simplejwt has.
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTTokenUserAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    SIMPLE_JWT={"SIGNING_KEY": os.environ["SECRET"]},
)
django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

CLIENT = redis.Redis.from_url(os.environ["REDIS_URL"])


class Status(APIView):
    def get(self, request):
        user = request.user.id
        version, off, epoch = CLIENT.mget(f"cw:{{u:{user}}}:v", f"cw:{{u:{user}}}:off", "cw:epoch")
        return Response({"enabled": off is None, "version": int(version or 1) + int(epoch or 0),
                         "message": "Cache is enabled" if off is None else "Cache is disabled"})


urlpatterns = [path("api/cache/status/", Status.as_view())]
application = get_wsgi_application()
