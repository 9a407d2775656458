"""The published form of the contracts, made from the models; for a checkout with the ``dev`` extra."""
