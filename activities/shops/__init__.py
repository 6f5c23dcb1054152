"""Shops, one adapter a file.

`protocol` says what a source of webhooks is, `api` what is asked of a shop's own API. What a platform's order says is
read in one place for both: `woocommerce_orders`, `bigcommerce_orders`. `payloads` and `signatures` are what the
adapters share.
"""
