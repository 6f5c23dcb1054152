"""What providers tell us afterwards, by webhook: one provider a file, each a `Source` like shops and carriers.

What may not live here: what follows from it (that is `store.feedback` and `store.consents`).
"""
