"""Compiled fixtures by name; see ``tools/build_fixtures.py``."""

from pathlib import Path

from skep.bytecode.objectfile.model import Function, MapSpec, ObjectFile, ProgramSpec
from skep.bytecode.objectfile.reading import read_object

DIRECTORY = Path(__file__).resolve().parent.parent / "fixtures" / "objects"


def fixture_bytes(name: str) -> bytes:
    return (DIRECTORY / f"{name}.o").read_bytes()


def fixture(name: str) -> ObjectFile:
    return read_object(fixture_bytes(name))


def function(object_file: ObjectFile, name: str) -> Function:
    return next(found for found in object_file.functions if found.name == name)


def program(object_file: ObjectFile, name: str) -> ProgramSpec:
    return next(found for found in object_file.programs if found.name == name)


def map_spec(object_file: ObjectFile, name: str) -> MapSpec:
    return next(found for found in object_file.maps if found.name == name)


def fixture_names() -> list[str]:
    return sorted(path.stem for path in DIRECTORY.glob("*.o"))
