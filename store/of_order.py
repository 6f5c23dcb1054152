"""Reading an order together with its customer, the order first."""

ITS_CUSTOMER = """JOIN LATERAL (
    SELECT * FROM customers WHERE shop = o.shop AND customer_id = o.customer_id OFFSET 0) c ON true"""
"""Joins the one customer `c` of each order `o`. `OFFSET 0` keeps the planner from beginning with the customers: while
it knows little of the tables, reading all of a shop's customers looks no dearer than reading one order."""
