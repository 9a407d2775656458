"""People, programmes, enrolments and consent: see README.md."""
