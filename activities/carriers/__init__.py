"""Carriers, and services that speak for many: one adapter a file, for their webhooks, their tracking API, or both."""
