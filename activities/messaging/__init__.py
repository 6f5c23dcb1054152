"""Making and sending messages: templates, MIME, and one provider a file behind one Protocol.

What may not live here: whether a message may go (that is `journey.contact`), or who gets it (the ledger).
"""
