"""``python -m services.notifications [migrate]``"""

if __name__ == "__main__":
    # Imported only here: a worker process that imports this module again must not load the service.
    from shared.runtime.entry import run

    run("notifications")
