"""`tinyres course`: which exercises are solved, or the task of one exercise."""

from __future__ import annotations

import argparse

from tinyres.app.cli.arguments import Commands, add_command, unknown

EXAMPLES = """\
examples:
  tinyres course                      all exercises, lesson by lesson
  tinyres course relu_backward        the task of one exercise

You answer them in Python: from tinyres.study.course import check, then
check.relu_backward(my_relu_backward). Solved exercises are recorded in
tinyres/course.json in your data folder, or in the file $TINYRES_COURSE.
"""


def add_to(commands: Commands) -> None:
    text = "Show the exercises, and which of them are solved."
    command = add_command(commands, "course", "[NAME]", run, text, EXAMPLES)
    command.add_argument("name", metavar="NAME", nargs="?", help="an exercise whose task to show")


def run(arguments: argparse.Namespace) -> int:
    from tinyres.study.course import check

    if arguments.name is None:
        print(check)
    elif arguments.name in dir(check):
        print(getattr(check, arguments.name))
    else:
        arguments.parser.error(unknown("exercise", arguments.name, dir(check)))
    return 0
