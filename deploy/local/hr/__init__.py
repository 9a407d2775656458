"""The HR side of the demonstration: an organisation, and an HR system that publishes it.

Everything here knows Kafka and the published contract (``shared.contracts``), and nothing else of the
platform: a real HR system could be put in its place without the platform noticing.

- ``member``        one employee as HR knows them, and the organisation that they make up
- ``organisation``  a seeded synthetic organisation of any size
- ``extract``       the same from any CSV extract and a column mapping (``mappings/*.toml``)
- ``events``        the CloudEvents that HR sends, as bytes
- ``publisher``     sends them to Kafka
- ``cli``           ``python -m deploy.local.hr``
"""
