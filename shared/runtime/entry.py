"""Entry point of ``python -m services.<name>`` (serve) and ``python -m services.<name> migrate``.

What is imported depends on what is asked for: a migration needs no web framework, and a start is felt.
"""

import importlib
import sys

import structlog
import uvloop
from pydantic import ValidationError

from shared.runtime.collector import spare_collections
from shared.runtime.logging import configure_logging
from shared.runtime.settings import Settings, SettingsError, load_settings

log = structlog.get_logger()


def run(name: str) -> None:
    """Serve or migrate the service *name*. Exit code 2 for wrong usage or settings."""
    arguments = sys.argv[1:]
    if arguments not in ([], ["migrate"]):
        print(f"usage: python -m services.{name} [migrate]", file=sys.stderr)
        raise SystemExit(2)
    settings = _settings()
    configure_logging(name, settings.replica, settings.log_level)
    try:
        if arguments:
            _migrate(name, settings)
        else:
            _serve(name, settings)
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _settings() -> Settings:
    try:
        return load_settings()
    except ValidationError as error:
        for entry in error.errors(include_input=False, include_url=False, include_context=False):
            print(f"MENTORING_{'_'.join(map(str, entry['loc'])).upper()}: {entry['msg']}", file=sys.stderr)
        raise SystemExit(2) from None


def _migrate(name: str, settings: Settings) -> None:
    from shared.persistence.migrate import migrate

    revision = uvloop.run(migrate(name, settings))
    log.info("schema is at head", revision=revision)


def _serve(name: str, settings: Settings) -> None:
    from shared.runtime.process import serve

    service = importlib.import_module(f"services.{name}.main").SERVICE
    spare_collections()
    uvloop.run(serve(service, settings))
