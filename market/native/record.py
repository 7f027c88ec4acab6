"""Records: the places that a family of kernels shares, reached by their names.

A kernel of a hundred functions works on some eighty arrays. Handing each to each
function would make the code unreadable and slow to compile. So the functions pass one
address around, that of a record: a row of int64 words in memory, some of them numbers,
some of them addresses of arrays. `Record` declares once what stands where; after that
``lane.position[account, market]`` in a compiled function is the array, and
``lane.liquidated = 0`` sets the number.

Numba resolves the attributes of a record's type by the two classes of templates below,
which emit the few instructions of an access where it stands: a place costs no function,
neither in the machine code nor in the time of compiling. Nothing here runs in Python;
a record has no value outside of compiled functions.

Source: Numba's manual, "Low-level extension API".
"""

import operator
from dataclasses import dataclass

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.errors import TypingError
from numba.core.typing.templates import (
    AbstractTemplate,
    AttributeTemplate,
    infer_getattr,
    infer_global,
    signature,
)
from numba.extending import (
    intrinsic,
    lower_builtin,
    lower_getattr_generic,
    lower_setattr_generic,
    register_model,
)
from numba.np.arrayobj import make_array, populate_array

_WORD = ir.IntType(64)
_BYTES = 8

#: A length along one axis: a number, or the name of a number of the record.
Length = int | str


@dataclass(frozen=True)
class Place:
    """Where something stands that a record knows by name.

    Attributes:
        word: index of the record's word that holds it, or its address.
        shape: None for a number in the record itself, () for a number at the address,
            else the lengths of an int64 array in C order.
        after: lengths whose product is the words between the address and the first
            element, where several places share an address.
        rows: the record that each element is, where the address is that of the first
            of several that follow each other.
    """

    word: int
    shape: tuple[Length, ...] | None = None
    after: tuple[Length, ...] = ()
    rows: "Record | None" = None


class Record:
    """What stands in the words of one kind of record, in their order.

    Attributes:
        name: for Numba's messages; no other record may have it.
        words: how many there are so far.
        type: Numba's type of it.
        at: gives the record at an address, in compiled code.
    """

    def __init__(self, name: str):
        self.name = name
        self.words = 0
        self.places: dict[str, Place] = {}
        self.groups: dict[str, Record] = {}
        self.type = RecordType(self)
        self.at = _at(self.type)
        self._whole = self

    def numbers(self, *names: str) -> None:
        """Adds words that are numbers, which compiled code may set."""
        for name in names:
            self.places[name] = Place(self.address())

    def array(self, name: str, *shape: Length) -> None:
        """Adds the address of an array, or with no lengths that of a number."""
        self.places[name] = Place(self.address(), shape)

    def rows(self, name: str, record: "Record") -> None:
        """Adds the address of records that follow each other."""
        self.places[name] = Place(self.address(), rows=record)

    def address(self) -> int:
        """Adds a word; its index."""
        self._whole.words += 1
        return self._whole.words - 1

    def group(self, name: str) -> "Record":
        """Places to be reached under a name of their own: ``kind`` of ``lane.tx``."""
        group = self.groups[name] = Record(f"{self.name}.{name}")
        group._whole = self
        return group

    def part(self, name: str, word: int, after: tuple[Length, ...], *shape) -> None:
        """Adds a place that begins some words after the address in a word.

        Args:
            name: of the place.
            word: as `address` gave it.
            after: lengths whose product says how many words.
            shape: as in `array`.
        """
        self.places[name] = Place(word, shape, after)

    def length(self, name: str) -> int:
        """The word that holds a length."""
        return self._whole.places[name].word


class RecordType(types.Type):
    """Numba's type of a record: an address."""

    def __init__(self, record: Record):
        self.record = record
        super().__init__(name=f"Record({record.name})")


class RowsType(types.Type):
    """Numba's type of records that follow each other: the address of the first."""

    def __init__(self, record: Record):
        self.record = record
        super().__init__(name=f"Rows({record.name})")


class _Address(models.PrimitiveModel):
    """A pointer to words."""

    def __init__(self, manager, kind):
        super().__init__(manager, kind, _WORD.as_pointer())


for _kind in (RecordType, RowsType):
    register_model(_kind)(_Address)


def _at(kind: RecordType):
    """A function of compiled code: the record at an address."""

    @intrinsic
    def at(typingctx, address):
        def codegen(context, builder, signature, arguments):
            return builder.inttoptr(arguments[0], _WORD.as_pointer())

        return kind(types.int64), codegen

    return at


# --- types ----------------------------------------------------------------------------


@infer_getattr
class _Places(AttributeTemplate):
    """What the attributes of a record are."""

    key = RecordType

    def generic_resolve(self, kind, name):
        """The type of a place, or None where there is none of that name."""
        if name in kind.record.groups:
            return kind.record.groups[name].type
        place = kind.record.places.get(name)
        return None if place is None else _type_of(place)


def _type_of(place: Place) -> types.Type:
    if place.rows is not None:
        return RowsType(place.rows)
    if not place.shape:
        return types.int64
    return types.Array(types.int64, len(place.shape), "C")


@infer_global(operator.getitem)  # pyright: ignore[reportOptionalCall]
class _Row(AbstractTemplate):
    """``rows[index]`` is a record."""

    def generic(self, arguments, keywords):
        """The signature, for rows and whole numbers."""
        rows, index = arguments
        if isinstance(rows, RowsType) and isinstance(index, types.Integer):
            return signature(rows.record.type, rows, types.int64)
        return None


# --- code -----------------------------------------------------------------------------


@lower_getattr_generic(RecordType)
def _read(context, builder, kind, record, name):
    if name in kind.record.groups:
        return record
    place = kind.record.places[name]
    if place.shape is None and place.rows is None:
        return builder.load(_word(builder, record, place.word))
    data = _data(builder, kind.record, record, place)
    if place.rows is not None:
        return data
    if not place.shape:
        return builder.load(data)
    return _array(context, builder, kind.record, record, place, data)


@lower_setattr_generic(RecordType)
def _write(context, builder, signature, arguments, name):
    kind, (record, value) = signature.args[0], arguments
    place = kind.record.places.get(name)
    if place is None or place.shape or place.rows is not None:
        raise TypingError(f"{name} of {kind.record.name} is no number to be set")
    if place.shape is None:
        builder.store(value, _word(builder, record, place.word))
    else:
        builder.store(value, _data(builder, kind.record, record, place))


@lower_builtin(operator.getitem, RowsType, types.Integer)
def _row(context, builder, signature, arguments):
    rows, index = arguments
    words = _WORD(signature.args[0].record.words)
    return builder.gep(rows, [builder.mul(index, words)])


def _word(builder, record, number):
    """Pointer to a word of a record."""
    return builder.gep(record, [_WORD(number)])


def _length(builder, declared, record, length):
    """A length as an LLVM value."""
    if isinstance(length, int):
        return _WORD(length)
    return builder.load(_word(builder, record, declared.length(length)))


def _data(builder, declared, record, place):
    """Pointer to the first element of a place."""
    address = builder.load(_word(builder, record, place.word))
    data = builder.inttoptr(address, _WORD.as_pointer())
    if not place.after:
        return data
    skipped = _WORD(1)
    for length in place.after:
        skipped = builder.mul(skipped, _length(builder, declared, record, length))
    return builder.gep(data, [skipped])


def _array(context, builder, declared, record, place, data):
    """The array of a place, as Numba has arrays: a view of memory of others."""
    shape = [_length(builder, declared, record, length) for length in place.shape]
    strides, stride = [], _WORD(_BYTES)
    for length in reversed(shape):
        strides.insert(0, stride)
        stride = builder.mul(stride, length)
    array = make_array(_type_of(place))(context, builder)
    intp = cgutils.intp_t
    populate_array(
        array,
        data=data,
        shape=cgutils.pack_array(builder, shape, intp),
        strides=cgutils.pack_array(builder, strides, intp),
        itemsize=intp(_BYTES),
        meminfo=None,
    )
    return array._getvalue()
