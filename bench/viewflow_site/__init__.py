"""A Django project that does with django-viewflow what is compared: its FSM, and its human tasks."""
