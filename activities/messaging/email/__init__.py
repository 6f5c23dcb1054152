"""Providers of mail, one a file.

What may not live here: what a mail looks like (that is `activities.messaging.mime` and `templates`).
"""
