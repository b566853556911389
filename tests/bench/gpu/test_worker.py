"""A section's process: a failure is reported, and the items after it are still measured."""

import subprocess
import sys
import time

from bench.gpu.worker import LEFT_OUT, rows, watched, why


def told(*labels, **how):
    return list(rows("tests.bench.gpu.breaks", {"labels": list(labels)}, **how))


def python(code):
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_one_process_while_nothing_breaks():
    found = told("one", "two", "three")
    assert [row["item"] for row in found] == ["one", "two", "three"]
    assert len({row["process"] for row in found}) == 1


def test_what_breaks_keeps_nothing_else_from_being_measured():
    found = told("raises", "one", "ends", "is killed", "two", "raises again")
    assert [row["item"] for row in found] == ["raises", "one", "ends", "is killed", "two", "raises again"]
    errors = {row["item"]: row["error"] for row in found if "error" in row}
    assert errors == {
        "raises": "ValueError: what raises is not right",
        "ends": "exit code 3",
        "is killed": "ended by signal 9: no result within 60 seconds, or out of memory",
        "raises again": "ValueError: what raises again is not right",
    }
    assert len({row["process"] for row in found if "process" in row}) == 2


def test_what_hangs_is_given_up():
    forever = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.PIPE, text=True
    )
    assert list(watched(forever, patience=0.5)) == []
    assert why(forever, "", patience=0.5).startswith("ended by signal 9: no result within")


def test_no_process_is_left_behind():
    talking = python("import time; print('{}', flush=True); time.sleep(600)")
    rows = watched(talking, patience=300)
    assert next(rows) == {}
    rows.close()
    assert talking.returncode == -9


def test_a_section_that_cannot_begin():
    assert told("no section") == [{"item": "all", "error": "OSError: there is no such card"}]


def test_nothing_is_begun_when_the_time_is_over():
    assert told("one", until=time.time() - 1) == [{"item": "all", "error": LEFT_OUT}]


def test_a_section_of_nothing():
    assert told() == []
