"""The one registry that all handlers of the service are in."""

from shared.messaging.handlers import Handlers

handlers = Handlers()
