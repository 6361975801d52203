"""A kernel's types as C: what is written is what it was made from."""

import pytest
from tests.builders.btf import BtfBuilder
from tests.builders.compiled import compiled_object

from skep.bytecode.btf.c_header import Uses, c_header
from skep.bytecode.btf.c_layout import CLayouts
from skep.bytecode.btf.errors import MalformedBtf
from skep.bytecode.btf.layout import resolved
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.objectfile.reading import read_object

_DECLARED = """
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u8 address[6];
typedef int (*callback)(struct whole *, u64 (*)(void), const char *const, ...);
struct elsewhere;
union either { u32 word; u8 bytes[4]; };
enum small { SMALL_A, SMALL_B = 200 } __attribute__((packed));
enum medium { MEDIUM = 40000 } __attribute__((mode(HI)));
enum signed_one { BELOW = -3, ABOVE = 7 };
enum unsigned_one { HIGH = 0xfffffffe };
enum wide_of_little { LITTLE } __attribute__((mode(DI)));
enum wide { WIDE = 0x123456789abcdefULL, ALSO = -1ULL };
struct packed { u8 first; u64 second; } __attribute__((packed));
struct holds_packed { u8 before; struct packed inside; u32 after; };
struct fields {
	u32 a : 3, b : 7;
	u64 : 40;
	u64 c : 20, d : 44;
	u32 : 0;
	_Bool e : 1;
	u8 f : 5;
	enum signed_one g : 8;
	int last;
};
struct packed_fields { u8 a : 3; u32 b : 30; u64 c : 50; u8 d; } __attribute__((packed));
struct aligned {
	u8 first; u32 second __attribute__((aligned(16))); u8 third;
} __attribute__((aligned(64)));
union roomy { u8 first; } __attribute__((aligned(32)));
struct squeezed { u64 wide __attribute__((packed, aligned(4))); u32 narrow; };
struct whole {
	struct whole *next, *const *volatile both;
	const volatile u8 fixed;
	address where, many[3];
	int grid[2][3][4];
	int (*row)[4];
	int *column[4];
	callback call, calls[2];
	void (*(*returns)(int))(struct elsewhere *);
	struct elsewhere *far;
	union { struct { u8 x, y; }; u32 xy; struct { u64 deep; } named; };
	struct { int a; } list[2];
	enum { ONE = 1, TWO } plain;
	enum small small; enum medium medium; enum unsigned_one high; enum wide wide;
	enum wide_of_little little;
	union either either;
	struct holds_packed holds;
	struct fields fields;
	struct packed_fields packed_fields;
	struct aligned aligned;
	union roomy roomy;
	struct squeezed squeezed;
	__int128 widest;
	long double odd;
	char flexible[];
};
"""
_ALL = "struct whole whole;\n"


def types_of(source: str) -> TypeTable:
    types = read_object(compiled_object(source)).types
    assert types is not None
    return types


def named(types: TypeTable, name: str) -> BtfType:
    return next(
        types.type(found)
        for kind in (Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64)
        for found in types.find(name, kind)
    )


def places(types: TypeTable, struct: BtfType, start: int = 0) -> list[tuple[str, int, int]]:
    """Name, bit offset and width of members, those of anonymous ones too."""
    layouts = CLayouts(types)
    found = []
    for member in struct.members:
        offset, bits = layouts.bits_of(struct, member)
        inside = resolved(types, member.type_id)
        if member.name:
            found.append((member.name, start + offset, bits))
        else:
            found += places(types, inside, start + offset)
    return [each for each in found if each[0] != "__size"]


COMPOSITES = [
    "whole", "packed", "holds_packed", "fields", "packed_fields", "aligned", "roomy", "squeezed",
    "either", "elsewhere",
]  # fmt: skip


def test_c_and_back_has_the_same_layouts() -> None:
    before = types_of(_DECLARED + _ALL)
    after = types_of(c_header(before) + _ALL)
    for name in COMPOSITES[:-1]:
        assert named(after, name).size == named(before, name).size, name
        assert places(after, named(after, name)) == places(before, named(before, name)), name


def test_c_and_back_has_the_same_enumerators() -> None:
    before = types_of(_DECLARED + _ALL)
    after = types_of(c_header(before) + _ALL)
    for name in ("small", "medium", "unsigned_one", "wide", "wide_of_little"):
        old, new = named(before, name), named(after, name)
        assert (old.kind, old.size, old.enumerators) == (new.kind, new.size, new.enumerators)


def test_the_same_types_give_the_same_text() -> None:
    types = types_of(_DECLARED + _ALL)
    assert c_header(types) == c_header(types)


def test_declarations_read_as_c_does() -> None:
    text = c_header(types_of(_DECLARED + _ALL))
    for line in (
        "\tstruct whole *const *volatile both;",
        "\tconst volatile u8 fixed;",
        "\taddress many[3];",
        "\tint grid[2][3][4];",
        "\tint (*row)[4];",
        "\tint *column[4];",
        "\tvoid (*(*returns)(int))(struct elsewhere *);",
        "\tchar flexible[0];",
        "typedef int (*callback)(struct whole *, u64 (*)(void), const char *const, ...);",
        "struct elsewhere;",
        "\tHIGH = 4294967294U,",
        "\tWIDE = 81985529216486895ULL,",
    ):
        assert line in text.splitlines(), line


def test_what_the_header_declares_is_relocated_when_it_is_read() -> None:
    header = c_header(types_of("struct moving { int a, b; } moving;"))
    source = header + (
        '__attribute__((section("raw_tp"))) int reads(struct moving *at) { return at->b; }\n'
    )
    [relocation] = read_object(compiled_object(source)).core_relocations
    assert (relocation.root, relocation.access) == ("moving", "0:1")


def built(builder: BtfBuilder) -> TypeTable:
    return read_btf(builder.build(), "little")


def test_names_that_collide_get_a_suffix_that_core_ignores() -> None:
    builder = BtfBuilder()
    integer = builder.integer()
    builder.struct("twice", 4, [("a", integer, 0)])
    builder.struct("twice", 8, [("a", integer, 0), ("b", integer, 32)])
    builder.enum("first", [("SAME", 1)])
    builder.enum("second", [("SAME", 2)])
    builder.modifier(Kind.TYPEDEF, integer, "SAME")
    builder.modifier(Kind.TYPEDEF, integer, "twice")
    text = c_header(built(builder))
    for line in (
        "struct twice {", "struct twice___2 {", "\tSAME = 1,", "\tSAME___2 = 2,",
        "typedef int SAME___3;", "typedef int twice;",
    ):  # fmt: skip
        assert line in text.splitlines(), line


def test_a_forward_declaration_shares_the_tag_of_what_it_may_mean() -> None:
    builder = BtfBuilder()
    integer = builder.integer()
    forward = builder.raw(Kind.FWD, "later")
    union = builder.raw(Kind.FWD, "later", flag=True)
    builder.struct("later", 4, [("a", integer, 0)])
    builder.struct(
        "user", 16, [("one", builder.pointer(forward), 0), ("other", builder.pointer(union), 64)]
    )
    text = c_header(built(builder))
    assert "struct later {" in text
    assert "\tstruct later *one;" in text
    assert "\tunion later___2 *other;" in text


def test_names_that_are_none_in_c_are_written_as_identifiers() -> None:
    builder = BtfBuilder()
    integer = builder.integer()
    builder.struct("core::fmt::Rust<T>", 8, [("int", integer, 0), ("0", integer, 32)])
    text = c_header(built(builder))
    assert "struct core__fmt__Rust_T_ {\n\tint int_;\n\tint _0;\n}" in text


def test_a_list_of_arguments_keeps_the_size_it_has_on_the_kernel() -> None:
    builder = BtfBuilder()
    tag = builder.struct("__va_list_tag", 24, [("area", builder.integer("long", 8), 0)])
    arguments = builder.modifier(Kind.TYPEDEF, builder.array(tag, 1), "__builtin_va_list")
    builder.struct("holds", 24, [("args", arguments, 0)])
    text = c_header(built(builder))
    assert "typedef struct __va_list_tag __kernel_builtin_va_list[1];" in text
    assert "\t__kernel_builtin_va_list args;" in text


def test_tagged_functions_are_declared_and_no_others() -> None:
    builder = BtfBuilder()
    integer = builder.integer()
    task = builder.struct("task", 4, [("pid", integer, 0)])
    prototype = builder.raw(
        Kind.FUNC_PROTO, count=1, value=integer,
        tail=[builder.string("task"), builder.pointer(task)],
    )  # fmt: skip
    function = builder.raw(Kind.FUNC, "bpf_ask", value=prototype)
    builder.raw(Kind.FUNC, "other", value=prototype)
    builder.raw(Kind.DECL_TAG, "bpf_kfunc", value=function, tail=[-1])
    text = c_header(built(builder))
    assert "extern int bpf_ask(struct task *) __weak __ksym;" in text
    assert "other" not in text
    assert "bpf_ask" not in c_header(built(builder), Uses(frozenset({"task"})))
    assert "struct task {" in c_header(built(builder), Uses(frozenset({"bpf_ask"})))


@pytest.mark.parametrize(
    ("size", "members"),
    [
        pytest.param(4, [("a", 1, 0), ("b", 1, 16)], id="overlapping"),
        pytest.param(4, [("a", 1, 32)], id="outside"),
        pytest.param(8, [("a", 1, 32), ("b", 1, 0)], id="backwards"),
        pytest.param(8, [("a", 1, 4)], id="within-a-byte"),
        pytest.param(4, [("a", 2, 0)], id="itself"),
        pytest.param(1 << 30, [("a", 1, 0), ("b", 1, (1 << 30) * 7)], id="far-apart"),
    ],
)
def test_layouts_that_c_has_none_for_are_refused(
    size: int, members: list[tuple[str, int, int]]
) -> None:
    builder = BtfBuilder()
    builder.integer()
    builder.struct("wrong", size, members)
    with pytest.raises(MalformedBtf):
        c_header(built(builder))


def test_a_bit_field_is_of_a_number_that_is_wide_enough() -> None:
    for size, bits in ((0, 3), (4, 33)):
        builder = BtfBuilder()
        builder.integer("odd", size)
        builder.struct("wrong", 8, [("a", 1, bits << 24)], flag=True)
        with pytest.raises(MalformedBtf, match="bit-field of a number"):
            c_header(built(builder))


def test_a_prototype_that_takes_itself_is_refused() -> None:
    builder = BtfBuilder()
    builder.pointer(2)
    builder.raw(Kind.FUNC_PROTO, count=1, value=0, tail=[0, 1])
    builder.struct("wrong", 8, [("a", 1, 0)])
    with pytest.raises(MalformedBtf):
        c_header(built(builder))


def test_structs_without_a_name_in_each_other_are_bounded() -> None:
    builder = BtfBuilder()
    inside = builder.integer()
    for _ in range(3000):
        inside = builder.struct("", 4, [("a", inside, 0)])
    builder.struct("wrong", 4, [("a", inside, 0)])
    with pytest.raises(MalformedBtf):
        c_header(built(builder))


def test_prototypes_that_grow_without_end_are_bounded() -> None:
    builder = BtfBuilder()
    inside = builder.integer()
    for _ in range(25):
        twice = [0, inside, 0, inside]
        inside = builder.pointer(builder.raw(Kind.FUNC_PROTO, count=2, value=0, tail=twice))
    builder.struct("wrong", 8, [("a", inside, 0)])
    with pytest.raises(MalformedBtf, match="less often"):
        c_header(built(builder))


_KERNEL = """
struct path { int depth; };
struct file { struct path path; int flags; };
struct mm { struct file *exe; int users; };
struct unused { int x; };
struct group { int id; };
struct task { struct mm *mm; struct unused *other; struct task *parent; struct group group; };
enum kind { KIND_A, KIND_B };
enum { LONELY = 5 };
typedef struct task *task_pointer;
int call(struct task *t, enum kind k, task_pointer p) { return LONELY + KIND_A + t->group.id; }
struct task task; enum kind kind; task_pointer p; struct unused unused;
struct mm mm; struct file file;
"""


@pytest.mark.parametrize(
    ("names", "whole", "declared"),
    [
        pytest.param({"task"}, {"task", "group"}, {"mm", "unused"}, id="by-name"),
        pytest.param({"task", "mm"}, {"task", "group", "mm"}, {"file", "unused"}, id="a-member"),
        pytest.param(
            {"task_pointer", "mm", "exe"},
            {"task", "group", "mm", "file", "path"}, {"unused"}, id="through-a-typedef",
        ),
        pytest.param({"KIND_B"}, {"kind"}, set(), id="an-enumerator"),
        pytest.param({"nothing_of_it"}, set(), set(), id="nothing"),
    ],
)  # fmt: skip
def test_what_sources_use_is_whole_and_what_it_points_to_is_declared(
    names: set[str], whole: set[str], declared: set[str]
) -> None:
    text = c_header(types_of(_KERNEL), Uses(frozenset(names)))
    words = ("struct ", "enum ")
    lines = text.splitlines()
    found = {line.split()[1] for line in lines if line.startswith(words) and line.endswith(" {")}
    forward = {line[7:-1] for line in lines if line.startswith(words) and line.endswith(";")}
    assert found == whole
    assert forward == declared | (forward & whole)
    types_of(text + "int x;\n")
