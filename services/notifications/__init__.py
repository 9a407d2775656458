"""*notifications*: tells people what happened, once, and reminds them of what is to come."""
