"""Thin Celery entry points of campaigns."""
