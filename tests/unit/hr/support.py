"""An extract written by hand with the header of a well-known one, and a producer without Kafka."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_HEADER = (
    "Age,Attrition,BusinessTravel,DailyRate,Department,DistanceFromHome,Education,EducationField,"
    "EmployeeCount,EmployeeNumber,EnvironmentSatisfaction,Gender,HourlyRate,JobInvolvement,JobLevel,"
    "JobRole,JobSatisfaction,MaritalStatus,MonthlyIncome,MonthlyRate,NumCompaniesWorked,Over18,OverTime,"
    "PercentSalaryHike,PerformanceRating,RelationshipSatisfaction,StandardHours,StockOptionLevel,"
    "TotalWorkingYears,TrainingTimesLastYear,WorkLifeBalance,YearsAtCompany,YearsInCurrentRole,"
    "YearsSinceLastPromotion,YearsWithCurrManager"
)
HEADER = _HEADER.split(",")

_CELLS = dict.fromkeys(HEADER, "1") | {
    "Age": "41",
    "Attrition": "0",
    "Department": "Research & Development",
    "EducationField": "Medical",
    "Gender": "Female",
    "JobLevel": "2",
    "JobRole": "Research Scientist",
    "MonthlyIncome": "9999",
    "MaritalStatus": "Single",
    "YearsAtCompany": "3",
}


def ibm_csv(*rows: dict[str, str]) -> str:
    """Rows as CSV; what a row does not say is filled in, the employee number by counting."""
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER)
    writer.writeheader()
    for number, cells in enumerate(rows, start=1):
        writer.writerow(_CELLS | {"EmployeeNumber": str(number)} | cells)
    return text.getvalue()


SMALL_MAPPING = """
[key]
column = "Number"
[columns]
given_name = "First"
family_name = "Last"
email = "Mail"
department = "Unit"
job_level = "Level"
manager_employee_id = "Boss"
hired_on = "Hired"
languages = "Tongues"
skills_offered = "Skills"
[constants]
time_zone = "Europe/Berlin"
"""
SMALL_HEADER = "Number,First,Last,Mail,Unit,Level,Boss,Hired,Tongues,Skills"


@dataclass
class Files:
    """Writes extracts and mappings into a folder and names them."""

    folder: Path

    def mapping(self, text: str = SMALL_MAPPING) -> Path:
        return self._write("mapping.toml", text.encode())

    def extract(self, text: str | bytes) -> Path:
        return self._write("extract.csv", text.encode() if isinstance(text, str) else text)

    def small(self, *rows: str, header: str = SMALL_HEADER) -> Path:
        return self.extract("\n".join([header, *rows]) + "\n")

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


class Placed(NamedTuple):
    partition: int
    offset: int


class Record(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    partition: int | None


Answer = Callable[[Record], BaseException | None]


@dataclass
class FakeKafka:
    """Takes records of all producers made from it. ``answer`` may refuse one, or say nothing to it."""

    records: list[Record] = field(default_factory=list)
    answer: Answer = lambda record: None
    start_error: BaseException | None = None
    topic_error: BaseException | None = None
    made: int = 0
    stopped: int = 0
    max_bytes: int = 0

    def make(self, servers: str | Sequence[str], security: Any, max_bytes: int) -> "FakeProducer":
        self.made += 1
        self.max_bytes = max_bytes
        return FakeProducer(self)


NO_ANSWER = TimeoutError("stays silent")


@dataclass
class FakeProducer:
    kafka: FakeKafka

    async def start(self) -> None:
        if self.kafka.start_error:
            raise self.kafka.start_error

    async def stop(self) -> None:
        self.kafka.stopped += 1

    async def partitions_for(self, topic: str) -> set[int]:
        if self.kafka.topic_error:
            raise self.kafka.topic_error
        return {0, 1, 2}

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> Awaitable[Any]:
        await asyncio.sleep(0)
        record = Record(topic, key, value, tuple(headers or ()), partition)
        promise = asyncio.get_running_loop().create_future()
        error = self.kafka.answer(record)
        if error is None:
            self.kafka.records.append(record)
            promise.set_result(Placed(partition or 0, len(self.kafka.records) - 1))
        elif error is not NO_ANSWER:
            promise.set_exception(error)
        return promise
