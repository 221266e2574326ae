"""Thin Celery entry points of tags."""
