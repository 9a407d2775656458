"""Extracts with the bundled mapping and with one of our own; every way in which a file can be bad."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest

from deploy.local.hr.errors import ExtractError
from deploy.local.hr.extract import Extract, read_extract
from deploy.local.hr.member import Member
from deploy.local.hr.table import Limits
from shared.contracts.hr import PersonRecorded
from tests.unit.hr.support import HEADER, SMALL_HEADER, SMALL_MAPPING, Files, ibm_csv

ADA = "1,Ada,Ash,ada@a.example,Labs,5,,2001-02-03,de;en,SQL:4;Java"
BOB = "2,Bob,Birch,bob@a.example,Labs,3,1,2011-02-03,en,SQL"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def read_ibm(files: Files, *rows: dict[str, str], seed: int = 7) -> Extract:
    return read_extract(files.extract(ibm_csv(*rows)), "ibm-attrition", seed=seed)


class TestTheBundledMapping:
    def test_mapped_columns_and_made_up_fields(self, files: Files) -> None:
        (member,) = read_ibm(
            files, {"EmployeeNumber": "42", "JobLevel": "4", "YearsAtCompany": "10"}
        ).organisation
        assert member.employee_id == "E42"
        assert (member.department, member.job_title) == ("Research and Development", "Research Scientist")
        assert member.job_level == 4
        assert member.hired_on is not None
        assert date(2015, 1, 2) <= member.hired_on <= date(2016, 1, 1)
        assert member.email.endswith(".e42@meridian.example.org")
        assert all((member.given_name, member.office, member.languages, member.goals, member.interests))
        member.recorded()

    def test_everything_else_is_sent_under_its_own_name_and_dropped_by_the_contract(
        self, files: Files
    ) -> None:
        extract = read_ibm(files, {"Attrition": "1", "MonthlyIncome": "12345"})
        (member,) = extract.organisation
        used = {"EmployeeNumber", "Department", "JobRole", "JobLevel", "YearsAtCompany", "EducationField"}
        assert set(extract.unmapped_columns) == set(HEADER) - used == set(member.unmapped)
        assert member.hr_data()["MonthlyIncome"] == "12345"
        assert member.hr_data()["Attrition"] == "1"
        assert PersonRecorded.model_validate(member.hr_data()) == member.recorded()

    def test_the_same_seed_gives_the_same_people_whoever_else_is_in_the_file(self, files: Files) -> None:
        alone = read_ibm(files, {"EmployeeNumber": "9"}).organisation.members[0]
        others = [{"EmployeeNumber": str(number)} for number in (3, 9, 12)]
        among = read_ibm(files, *others).organisation.by_id["E9"]
        depends = {"manager_employee_id", "team"}
        assert {n: getattr(alone, n) for n in Member.__slots__ if n not in depends} == {
            n: getattr(among, n) for n in Member.__slots__ if n not in depends
        }
        assert (
            read_ibm(files, *others).organisation.digest() == read_ibm(files, *others).organisation.digest()
        )
        assert (
            read_ibm(files, *others).organisation.digest()
            != read_ibm(files, *others, seed=8).organisation.digest()
        )

    def test_managers_are_of_the_same_department_and_a_higher_level(self, files: Files) -> None:
        rows: Sequence[dict[str, str]] = [
            {"Department": department, "JobLevel": str(level)}
            for department in ("Sales", "Human Resources")
            for level in (1, 1, 1, 2, 3, 5)
        ]
        organisation = read_ibm(files, *rows).organisation
        assert len(organisation.heads) == 1
        for member in organisation:
            if member.manager_employee_id and member.job_level != 5:
                manager = organisation.by_id[member.manager_employee_id]
                assert manager.department == member.department
                assert (manager.job_level or 0) > (member.job_level or 0)
                assert member.team == f"{manager.department} / {manager.employee_id}"

    def test_the_published_extract_is_read_whole(self) -> None:
        file = os.environ.get("MENTORING_HR_EXTRACT")
        if not file:
            pytest.skip("MENTORING_HR_EXTRACT names no HR extract")
        extract = read_extract(file, "ibm-attrition", seed=7)
        assert len(extract.organisation) == 1_470
        assert extract.quarantined == ()
        assert len(extract.organisation.heads) == 1
        assert all(len(reports) <= 12 for reports in extract.organisation.reports.values())
        assert len(extract.unmapped_columns) == 29


class TestAMappingOfOnesOwn:
    def test_every_kind_of_cell(self, files: Files) -> None:
        ada, bob = read_extract(files.small(ADA, BOB), files.mapping()).organisation
        assert (ada.employee_id, ada.given_name, ada.time_zone) == ("1", "Ada", "Europe/Berlin")
        assert (ada.languages, ada.skills_offered) == (("de", "en"), {"SQL": 4, "Java": 3})
        assert (ada.hired_on, ada.manager_employee_id, bob.manager_employee_id) == (
            date(2001, 2, 3),
            None,
            "1",
        )
        assert ada.unmapped == {}

    def test_other_delimiters_encodings_dates_and_a_byte_order_mark(self, files: Files) -> None:
        mapping = files.mapping(
            SMALL_MAPPING + '[csv]\ndelimiter = ";"\nencoding = "utf-16"\nlist_separator = "|"\n'
            'date_format = "%d.%m.%Y"\n'
        )
        text = "\n".join(
            [SMALL_HEADER.replace(",", ";"), "1;Zoë;Łęcka;z@a.example;Labs;5;;03.02.2001;de|en;SQL:1"]
        )
        (member,) = read_extract(files.extract(text.encode("utf-16")), mapping).organisation
        assert (member.given_name, member.family_name, member.languages) == ("Zoë", "Łęcka", ("de", "en"))
        assert member.hired_on == date(2001, 2, 3)

        with_mark = b"\xef\xbb\xbf" + files.small(ADA).read_bytes()
        assert len(read_extract(files.extract(with_mark), files.mapping()).organisation) == 1

    def test_values_are_translated_and_constants_are_for_all(self, files: Files) -> None:
        mapping = files.mapping(SMALL_MAPPING + '[values.job_level]\n"senior" = 7\n')
        (member,) = read_extract(files.small(ADA.replace(",5,", ",senior,")), mapping).organisation
        assert member.job_level == 7

    def test_quoted_cells_may_hold_line_breaks_and_blank_lines_count_for_nothing(self, files: Files) -> None:
        rows = (
            '1,"Ada\nMarie",Ash,ada@a.example,"La""bs, 1",5,,,,',
            "",
            BOB.replace("Labs,3", "Labs,x"),
            BOB,
        )
        extract = read_extract(files.small(*rows), files.mapping())
        assert extract.organisation.by_id["1"].department == 'La"bs, 1'
        assert [row.line for row in extract.quarantined] == [5]

    def test_a_manager_who_is_not_in_the_extract_stays_named(self, files: Files) -> None:
        (bob,) = read_extract(files.small(BOB), files.mapping()).organisation
        assert bob.manager_employee_id == "1"


def fatal(files: Files, extract: Path, mapping: Path | None = None, **limits: int) -> ExtractError:
    with pytest.raises(ExtractError) as caught:
        read_extract(extract, mapping or files.mapping(), limits=Limits(**limits))
    assert caught.value.file == str(extract)
    assert str(extract) in str(caught.value)
    return caught.value


class TestWhatIsFatal:
    def test_a_missing_file(self, files: Files) -> None:
        assert "No such file" in fatal(files, files.folder / "none.csv").sentence
        assert "directory" in fatal(files, files.folder).sentence

    @pytest.mark.parametrize("text", ["", "\n\n", "\ufeff", " ,  ,"])
    def test_an_empty_file(self, files: Files, text: str) -> None:
        error = fatal(files, files.extract(text))
        assert ("empty" in error.sentence, error.line) == (True, 1)

    def test_a_header_alone(self, files: Files) -> None:
        assert "no rows" in fatal(files, files.small()).sentence

    def test_a_missing_column(self, files: Files) -> None:
        error = fatal(files, files.small(header=SMALL_HEADER.replace("Level", "Grade")))
        assert (error.line, error.column) == (1, "Level")
        assert "columns.job_level" in error.sentence

    def test_a_missing_column_of_a_rule(self, files: Files) -> None:
        text = ibm_csv({}).replace("YearsAtCompany", "Tenure")
        with pytest.raises(ExtractError, match=r"derived\.hired_on\.column") as caught:
            read_extract(files.extract(text), "ibm-attrition")
        assert caught.value.column == "YearsAtCompany"

    def test_a_column_twice_or_without_a_name(self, files: Files) -> None:
        assert "twice" in fatal(files, files.small(header=SMALL_HEADER + ",Mail")).sentence
        error = fatal(files, files.small(header=SMALL_HEADER + ","))
        assert ("no name" in error.sentence, error.column) == (True, "11")

    def test_an_unmapped_column_that_poses_as_a_field_of_the_contract(self, files: Files) -> None:
        mapping = "send_unmapped = true\n" + SMALL_MAPPING
        extract = files.small(ADA + ",x", header=SMALL_HEADER + ",office")
        error = fatal(files, extract, files.mapping(mapping))
        assert error.column == "office"
        ignoring = files.mapping('ignore = ["office"]\n' + mapping)
        assert read_extract(extract, ignoring).organisation.members[0].unmapped == {}

    def test_not_utf8_names_the_line(self, files: Files) -> None:
        extract = files.extract(f"{SMALL_HEADER}\n{ADA}\n".encode() + b"2,B\xf6b,x\n")
        error = fatal(files, extract)
        assert error.line == 3
        assert "UTF-8" in error.sentence
        assert "0xf6 at character 4" in error.sentence

    @pytest.mark.parametrize("row", ['1,"Ada,Ash', '1,"Ada"x,Ash'])
    def test_quotation_marks_that_do_not_close(self, files: Files, row: str) -> None:
        error = fatal(files, files.small(BOB, row))
        assert error.line == 3

    def test_too_large(self, files: Files) -> None:
        assert "larger than 10 bytes" in fatal(files, files.small(ADA), file_bytes=10).sentence
        error = fatal(files, files.small(ADA, BOB), rows=1)
        assert ("more than 1 rows" in error.sentence, error.line) == (True, 3)

    def test_nothing_but_bad_rows(self, files: Files) -> None:
        error = fatal(files, files.small("1,2", "3"))
        assert error.sentence.startswith("No row can be used, of 2; the first: The row has 2 cells")
        assert error.line == 2


class TestWhatIsPutAside:
    @pytest.mark.parametrize(
        ("row", "sentence", "column"),
        [
            ("9,Zed", "The row has 2 cells, the header has 10.", None),
            (ADA + ",extra", "The row has 11 cells", None),
            (ADA, "The employee id 1 is on line 2 already.", "Number"),
            (BOB.replace("bob@", "ADA@"), "The e-mail address is that of 1 already.", "Mail"),
            (BOB.replace(",3,", ",three,"), '"three" must be a whole number.', "Level"),
            (BOB.replace(",3,", ",21,"), '"21" does not fit job_level', "Level"),
            (BOB.replace("2011-02-03", "2011-02-30"), "must be a date like %Y-%m-%d", "Hired"),
            (BOB.replace("Bob", ""), "The cell is empty, and given_name is required.", "First"),
            (BOB.replace("bob@a.example", "bob"), "does not fit email", "Mail"),
            (BOB.replace(",en,", ",English,"), "does not fit languages", "Tongues"),
            (BOB.replace("SQL", "SQL:9"), "does not fit skills_offered", "Skills"),
            (BOB.replace("SQL", "SQL:high"), "must be a whole number", "Skills"),
            (BOB.replace("Bob", "B\x00b"), "NUL", "First"),
            (BOB.replace("Bob", "B" * 201), "at most 200", "First"),
            (BOB.replace("Bob", "B" * 501), "longer than 500 characters", None),
            (BOB.replace("2,Bob", ",Bob"), "The employee id is empty.", "Number"),
            (BOB.replace("2,Bob", "a b,Bob"), '"a b" is no employee id', "Number"),
            (BOB.replace("Labs,3,1,", "Labs,3,2,"), "2 is their own manager at some remove.", "Boss"),
        ],
    )
    def test_one_bad_row(self, files: Files, row: str, sentence: str, column: str | None) -> None:
        cleo = "3,Cleo,Clay,cleo@a.example,Labs,3,1,2011-02-03,en,SQL"
        extract = read_extract(files.small(ADA, row, cleo), files.mapping(), limits=Limits(cell=500))
        assert [member.employee_id for member in extract.organisation] == ["1", "3"]
        (bad,) = extract.quarantined
        assert (bad.line, bad.reason.line, bad.reason.column) == (3, 3, column)
        assert sentence in bad.reason.sentence
        assert str(bad).startswith(f"{files.folder / 'extract.csv'}, line 3")

    def test_a_rule_that_cannot_be_applied(self, files: Files) -> None:
        extract = read_ibm(files, {}, {"YearsAtCompany": "long"})
        (bad,) = extract.quarantined
        assert bad.reason.sentence == '"long" must be whole years, 0 to 99.'
        assert (bad.employee_id, bad.reason.column) == ("E2", "YearsAtCompany")

    def test_an_unknown_office_has_no_zone(self, files: Files) -> None:
        mapping = SMALL_MAPPING.replace('[constants]\ntime_zone = "Europe/Berlin"', 'office = "Site"')
        mapping += '[derived.time_zone]\nrule = "zone-of-office"\n'
        rows = (ADA + ",Berlin", BOB + ",Atlantis")
        extract = read_extract(files.small(*rows, header=SMALL_HEADER + ",Site"), files.mapping(mapping))
        assert extract.organisation.members[0].time_zone == "Europe/Berlin"
        (bad,) = extract.quarantined
        assert '"Atlantis" must be an office' in bad.reason.sentence
