"""The service *feedback*: sessions of a pair, feedback about them, and what a programme learns from both."""
