"""How carriers' and shops' own APIs are asked: one bounded request behind a circuit breaker; no vendor's words."""
