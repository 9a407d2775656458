"""``python -m services.profiles``."""

from services.profiles.main import SERVICE
from shared.runtime.process import main

main(SERVICE)
