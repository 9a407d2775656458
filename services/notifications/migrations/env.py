from shared.persistence.migrate import run_environment

run_environment()
