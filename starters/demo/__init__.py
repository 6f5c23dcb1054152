"""`postlude demo`: eleven orders of two shops, from checkout to win-back in half a minute.

Nothing here is special to the product: the orders come in through the real webhook endpoints with real signatures,
remedies are chosen on the real page and made good by a shop's backend that is asked as any other, and only the
journeys' clocks are made to run fast.
"""
