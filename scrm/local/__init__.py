"""The services a machine needs to run SCRM by itself: an embedded PostgreSQL and Valkey."""
