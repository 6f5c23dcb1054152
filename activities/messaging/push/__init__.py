"""Providers of notifications, one a file."""
