"""``python -m services.feedback`` runs one replica of the service."""

from services.feedback.main import SERVICE
from shared.runtime.process import main

main(SERVICE)
