"""What Django needs and nothing that slows it down: no debug, one connection kept open."""

import os

SECRET_KEY = "only-measured-with"
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "viewflow",
    "viewflow.workflow",
    "bench.viewflow_site",
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["BENCH_VIEWFLOW_HOST"],
        "NAME": os.environ["BENCH_VIEWFLOW_NAME"],
        "USER": os.environ["BENCH_VIEWFLOW_USER"],
        "CONN_MAX_AGE": None,
        # Prepared on the server like ours.
        "OPTIONS": {"server_side_binding": True, "prepare_threshold": 1},
    }
}
