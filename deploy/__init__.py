"""How the platform is run: here, in containers, in a cluster."""
