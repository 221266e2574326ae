"""Thin Celery entry points of members."""
