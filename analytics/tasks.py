"""Thin Celery entry points of analytics."""
