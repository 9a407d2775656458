"""The words of the page that no measurement changes."""

ABOUT = """Made by `make bench` (`python -m tests.bench`, with `--quick` for a tenth of the work, or with the names
of some figures). One run on one machine; Kafka, PostgreSQL, the load and the services share its cores, so the
ratios say more than the rates. Rounds of the contenders alternate, and a ratio is the median over pairs of rounds.

- **Consumer path.** *matching* hears `person.changed`: everybody once, then everybody again, from a topic of 12
  partitions, at most 2,000 records a transaction. Ours is subscriber, processor and handlers of the service process:
  validation, row-level security, locks, metrics, trace headers, info logs. *Bare* is `tests/bench/bare.py`: the same
  inbox and person rows in batches of the same limit, one transaction and one commit of offsets each, where ours commits
  offsets once for three transactions, three of them at a time; logged in as the
  administrator, with one upsert made for this event, no validation, no locks, no look at enrolments or departures.
  After each round the people are compared: every contender must have left the same rows.
  A second one also locks and reads the five tables that the handler decides on, and decides nothing.
  *Validation off* skips Pydantic and nothing else; only the bench can.
- **ORM.** `tests/bench/orm.py`: one function call, one session and one transaction for each event.
- **Relay.** From outbox rows to Kafka and away, against a producer with the same settings and everything in memory,
  which finds each key's partition as aiokafka does. At half load four writers in the same process commit 50 rows each
  time, and the reader is a process of its own; all connections are made before. Ten seconds, three times: the figure is
  that of the middle one, and the rate is the one that was kept.
- **PostgreSQL** has log files to use again and a checkpoint behind it before the consumer path, before half load and
  before the figures of the whole platform, as a server that has been up for a while. A new one makes commits wait 50 ms
  for every 16 MB: [record 33](adr/0033-log-files-to-use-again.md).
- **Terminations.** All services as processes. From the moment when HR's record was due (not when it was sent) to the
  commit of the notification, as PostgreSQL's commit timestamps tell it. The CPU is all that a termination costs, until
  its mail is sent.
- **REST.** People change their profiles, each with a token of their own, in requests that are due at a steady rate
  whether those before them are answered or not. From the moment when a request was due to its event's arrival at a
  reader of the topic. First everybody calls once at the same rate, which is not counted: it verifies the tokens, opens
  the connections and prepares the statements. The CPU is that of the whole *profiles* process, relay included. Measured
  twice: with all four services, three of which hear every one of these events, and with *profiles* alone.
- **Replicas, growth.** HR records of new people and then changes of all of them, until every consumer is at its topic's
  end and every outbox is empty. Afterwards every database, the ledger and the topic are counted. Growth is two
  bursts of ten times the size, each between two small ones: their median through the median of the small ones. What
  a service has in flight when it is far behind stays with its process (40 MiB), which is why memory has two rows. They
  come after the latencies: a run that had them before, with PostgreSQL still cleaning up after 88,000 changed
  people, gave a p99 of 1,326 ms for terminations at 500/s, and 69 ms for REST with all four services."""

WHERE = """## Where the time goes

**Consumer path.** Three lanes, which go on from batch to batch, keep the process's one core busy: all but 2 µs of an
event's time is CPU, so a rate is what its Python leaves of a second. Shares
by py-spy: decoding 30 % (17 % of all is Pydantic), asyncpg, loop and sockets 17 %, the handlers 9 %, aiokafka 8 %,
writing rows 10 %, loading and locking five tables 8 %, the inbox 5 %, the rest in parts below 3 %. The bare loop
has aiokafka, a decoder that builds one object and checks nothing, and the writing; it waits for PostgreSQL while it
does none of them, and spends 5 µs on each row's arrays where ours spends two on its texts. It neither looks at what it
overwrites nor could it refuse an event. What PostgreSQL does for an event differs by the five reads; row-level security
adds a filter to each plan. [Record 22](adr/0022-what-an-event-costs-a-consumer.md) tells what each part cost before,
[record 27](adr/0027-no-idle-core-while-records-wait.md) how much of the time the core waited, and
[record 30](adr/0030-lanes-go-on.md) what became of that.

**Relay.** Batches are packed by partition, and a key's partition is found in a ninth of the time that aiokafka takes,
also for the bare producer: what the relay saves there, it spends on reading and deleting rows. Under load it keeps its
lock for a turn of batches, so that a look is two round trips. [Record 28](adr/0028-a-turn-of-the-relay.md) has figures.

**REST.** By py-spy, two fifths of a command's CPU are its six round trips to PostgreSQL: begin, tenant and time, the
person, the consent, the write with its outbox row, commit. They are asyncpg and the kernel; a quarter is FastAPI with
its layers, and the rest is ours. The event leaves with the next look of the relay, which the commit wakes; looks begin
10 ms apart, or as soon as the one before has ended. The rest of the time is waiting: broker, database, load and four
services share the cores, and the three that hear the events take as much of them as *profiles* itself.

**Chains.** A hop is a commit, the relay's look, the broker, and the next consumer's transaction. An idle consumer hears
a record within milliseconds, because its fetch is held by the broker; a busy one takes what comes in 20 ms or two, or
in 250 ms where nobody waits for the effect. In *matching* a transaction is 23 round trips, in the others 8 to 10, so
its hop is the longest when cores are short. Mail is sent when events leave time for it, at the latest after two
seconds.
Beyond half of the machine's capacity latency is queueing: then Kafka and PostgreSQL take as much of the cores as the
services, and a batch grows until its fixed cost no longer counts.

**Idle.** Heartbeats and fetches of the consumers, and the looks of relay (twice a second) and timers (five times).
"""
