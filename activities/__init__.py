"""What touches the outside: each activity does one thing and returns a typed outcome.

`messaging`, `shops` and `carriers` hold one adapter a file behind one Protocol each. What may not live here: a
rule (that is `journey`), SQL (that is `store`), or a decision made on the wall clock.
"""
