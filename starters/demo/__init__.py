"""`postlude demo`: a sample shop's eight orders, from checkout to win-back in half a minute.

Nothing here is special to the product: the orders come in through the real webhook endpoints with real signatures,
and only the journeys' clocks are made to run fast.
"""
