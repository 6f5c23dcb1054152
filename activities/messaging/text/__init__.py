"""Providers of SMS and WhatsApp, one a file."""
