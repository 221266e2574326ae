"""The WSGI entry point that granian serves."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scrm.settings.production")

application = get_wsgi_application()
# Every page's code now, before a worker takes requests: Django would load it with the first of them.
get_resolver().url_patterns  # noqa: B018  # a property that loads
