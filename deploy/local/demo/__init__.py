"""The main job as a program: a seeded organisation lives through a mentoring programme.

HR speaks through Kafka, people through public routes with their own tokens, and nobody holds a database
credential. The only privilege is the embedded stack's clock, which lets weeks pass in seconds.

- ``options``   what ``make demo`` can be told
- ``people``    people acting over HTTP, with patience for services that are being restarted
- ``watch``     what an outsider sees of our topics: latest states, and when they were said
- ``quiet``     waiting until nothing moves any more, and moving the clock
- ``scenario``  the story, step by step
- ``balance``   the summary: counts that must agree, latencies, the business result's digest
- ``command``   ``mentoring demo``
"""
