"""The glossary's links lead somewhere, and README.zh.md says what README.md says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in GLOSSARY.splitlines() if line.startswith("| ")
]
TERMS = ROWS[2:]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh.md"))

# ---- the glossary ----------------------------------------------------------------------------------------------------


def test_it_is_a_table_of_terms():
    assert ROWS[0] == ["term", "中文", "in one sentence", "lesson", "file"]
    assert 40 <= len(TERMS) <= 80


@pytest.mark.parametrize("row", TERMS, ids=lambda row: row[0])
def test_a_term(row):
    _, chinese, sentence, lesson, link = row
    assert re.search(r"[\u4e00-\u9fff]", chinese)
    assert sentence[-1] == "." and len(sentence) < 160
    assert 0 <= int(lesson) <= 13 and len(lesson) == 2
    name, path = re.fullmatch(r"\[(.+)\]\((.+)\)", link).groups()
    there = ROOT / "docs" / path
    # From the wheel, the imported files are elsewhere; the names of the files are the same.
    assert there.name == name and (there.is_file() or not (ROOT / "tinyres").is_dir())


def test_the_order_is_alphabetical():
    words = [re.sub(r"^\d\S* ", "~", row[0].casefold()) for row in TERMS]  # 1×1 comes last
    assert words == sorted(words) and len(set(words)) == len(words)


# ---- the README in two languages -------------------------------------------------------------------------------------


def blocks(text):
    return re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def sections(text):
    return [
        len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    ]


def in_words(text):
    """Without blocks of code."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def test_the_same_sections():
    assert sections(CHINESE) == sections(ENGLISH) and len(sections(ENGLISH)) >= 4


def test_the_same_code_but_for_its_comments():
    def bare(code):
        return [(language, re.sub(r"  # .*$", "", text, flags=re.MULTILINE)) for language, text in code]

    assert bare(blocks(CHINESE)) == bare(blocks(ENGLISH)) and len(blocks(ENGLISH)) >= 3


def test_the_same_commands_names_and_figures():
    def marked(text):
        return sorted(re.findall(r"`([^`\n]+)`", in_words(text)))

    def links(text):
        return sorted(re.findall(r"\]\(([^)]+)\)", in_words(text)))

    def tables(text):
        return [line.count("|") for line in text.splitlines() if line.startswith("|")]

    assert marked(CHINESE) == marked(ENGLISH)
    others = {"README.zh.md", "README.md"}
    assert [a for a in links(CHINESE) if a not in others] == [a for a in links(ENGLISH) if a not in others]
    assert tables(CHINESE) == tables(ENGLISH)


def test_paragraph_for_paragraph():
    def shape(text):
        kinds = {"#": "section", "|": "table", "!": "picture", "(": "text"}
        return [kinds.get(part[0], "text") for part in re.split(r"\n\n+", in_words(text).strip())]

    assert shape(CHINESE) == shape(ENGLISH)


def test_each_leads_to_the_other():
    assert "](README.zh.md)" in ENGLISH[:200] and "](README.md)" in CHINESE[:200]
    assert not [word for word in re.findall(r"[\u4e00-\u9fff]+", in_words(ENGLISH)) if word != "中文"]
