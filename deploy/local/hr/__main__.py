"""``python -m deploy.local.hr``"""

from deploy.local.hr.cli import run

raise SystemExit(run())
