"""The innermost loops of convolution, written in LLVM's own language. (All other kernels here are plain Python.)

**Why.** A processor with AVX-512 does 16 multiply-adds in one instruction, and two such instructions a cycle. To reach
that speed, an inner loop must hold nothing but these instructions, and its sums must stay in registers. Written as
numba loops over arrays, the same tile runs at 10-30 % of the peak: the compiler cannot prove that the array of sums and
the arrays of inputs do not overlap, so it stores and reloads every sum after every addition.

**What a tile is.** It is a small block of results that fits into the registers, `pixels` × `vectors`. Each register is
a vector of neighbouring output channels ("lanes"). For 8 pixels and 2 vectors, a step over one input channel is this:

                     w[0:16]   w[16:32]        2 vectors of weights are loaded,
          x[pixel 0]   sum       sum           8 numbers of x are loaded and repeated into all lanes,
          x[pixel 1]   sum       sum           16 multiply-adds are done: sum += x · w
             ...
          x[pixel 7]   sum       sum           10 loads for 16 multiply-adds: the loads can keep up

**How it is written.** numba's `@intrinsic` gives us the LLVM builder `b` of the function being compiled. Every call on
it appends one instruction: b.load, b.add, b.call(fma, ...). The Python loops below run while the kernel is compiled and
unroll the tile; only the loops made with `for_range` are loops of the machine. `alloca` names a slot for a sum, and
LLVM's first pass turns the slots into registers. numba passes numbers that are fixed when a kernel is made (how many
pixels, how many vectors) as *literals*, so they can shape the code.

`combination` writes another kind of arithmetic in the same way for conv2d_winograd.py: fixed small matrices times
squares of vectors.

All arrays are flat, and the places where to begin are counted in elements. Nothing checks bounds here.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tinyres_kernels.cpu.host import CACHE_LINE, VECTOR_BYTES

BLOCK = 16  # channels that lie together in a laid-out image; see conv2d_layout.py
GROUP = 4  # channels that the output tile takes in one round of its loop
i64 = types.int64
Matrix = tuple[tuple[float, ...], ...]


@intrinsic(prefer_literal=True)
def output_tile(typingctx, pixels, vectors, x, x_at, taps, w, w_at, y, y_at, y_pixel):
    """A tile of y: y[pixel] = Σ x[tap + pixel·BLOCK + channel] · w[…] over the taps and the GROUP of channels at each.

    taps are offsets into x. w is in the order of use: vectors · lanes numbers for each channel of each tap.
    """
    signature = types.void(pixels, vectors, x, i64, taps, w, i64, y, i64, i64)
    pixels, vectors = pixels.literal_value, vectors.literal_value

    def generate(context, b, signature, args):
        _, _, x, x_at, taps, w, w_at, y, y_at, y_pixel = args
        _, _, x_type, _, taps_type, w_type, _, y_type, _, _ = signature.args
        tile = Tile(context, b, x_type.dtype, pixels, vectors)
        x, w, y = tile.data(x_type, x), tile.data(w_type, w), tile.data(y_type, y)
        n_taps = cgutils.unpack_tuple(b, context.make_array(taps_type)(context, b, taps).shape)[0]
        taps = tile.data(taps_type, taps)
        width = vectors * tile.lanes

        with cgutils.for_range(b, n_taps) as tap:
            x_tap = b.gep(x, [b.add(x_at, b.load(b.gep(taps, [tap.index])))])
            w_tap = b.gep(w, [b.add(w_at, b.mul(tap.index, tile.int(GROUP * width)))])
            for channel in range(GROUP):
                values = [b.gep(x_tap, [tile.int(pixel * BLOCK + channel)]) for pixel in range(pixels)]
                tile.multiply_add(values, b.gep(w_tap, [tile.int(channel * width)]))

        for p in range(pixels):
            tile.store_row(p, b.gep(y, [b.add(y_at, b.mul(y_pixel, tile.int(p)))]))
        return context.get_dummy_value()

    return signature, generate


@intrinsic(prefer_literal=True)
def weight_tile(typingctx, channels, vectors, x, x_at, x_row, gy, gy_at, gy_row, gy_pixel, rows, columns, gw, gw_at):
    """A tile of gw, neighbouring channels × vectors: gw[channel] += Σ x[pixel, channel] · gy[pixel] over the pixels.

    It walks rows × columns pixels. In x, pixels are BLOCK apart and rows x_row; in gy, gy_pixel and gy_row.
    """
    signature = types.void(channels, vectors, x, i64, i64, gy, i64, i64, i64, i64, i64, gw, i64)
    channels, vectors = channels.literal_value, vectors.literal_value

    def generate(context, b, signature, args):
        _, _, x, x_at, x_row, gy, gy_at, gy_row, gy_pixel, rows, columns, gw, gw_at = args
        x_type, gy_type, gw_type = signature.args[2], signature.args[5], signature.args[11]
        tile = Tile(context, b, x_type.dtype, channels, vectors)
        x, gy, gw = tile.data(x_type, x), tile.data(gy_type, gy), tile.data(gw_type, gw)

        with cgutils.for_range(b, rows) as row:
            x_start = b.add(x_at, b.mul(row.index, x_row))
            gy_start = b.add(gy_at, b.mul(row.index, gy_row))
            with cgutils.for_range(b, columns) as column:
                pixel = b.add(x_start, b.mul(column.index, tile.int(BLOCK)))
                values = [b.gep(x, [b.add(pixel, tile.int(c))]) for c in range(channels)]
                tile.multiply_add(values, b.gep(gy, [b.add(gy_start, b.mul(column.index, gy_pixel))]))

        for c in range(channels):
            at = b.gep(gw, [b.add(gw_at, tile.int(c * vectors * tile.lanes))])
            tile.store_row(c, at, add=True)
        return context.get_dummy_value()

    return signature, generate


def combination(*matrices: Matrix):
    """An intrinsic that replaces a square of vectors S by M · S · Mᵀ, with M the product of the matrices.

    The matrices are fixed numbers. They are applied one after the other, the last first, so that what rows have in
    common is computed once. Everything stays in registers, as far as there are enough.
    """

    @intrinsic
    def combine(typingctx, source, source_at, source_row, source_column, target, target_at, target_row, target_column):
        """source[i, j] is at source_at + i · source_row + j · source_column, and target[i, j] likewise."""
        signature = types.void(source, i64, i64, i64, target, i64, i64, i64)

        def generate(context, b, signature, args):
            source, source_at, source_row, source_column, target, target_at, target_row, target_column = args
            tile = Tile(context, b, signature.args[0].dtype, 0, 0)
            source, target = tile.data(signature.args[0], source), tile.data(signature.args[4], target)

            def place(array, at, row_step, row, column_step, column):
                steps = b.add(b.mul(row_step, tile.int(row)), b.mul(column_step, tile.int(column)))
                return tile.vector_at(b.gep(array, [b.add(at, steps)]), 0)

            size = range(len(matrices[-1][0]))
            square = [
                [b.load(place(source, source_at, source_row, i, source_column, j), align=tile.itemsize) for j in size]
                for i in size
            ]
            for _ in ("columns", "rows"):
                for matrix in reversed(matrices):
                    square = [tile.combined(matrix, vectors) for vectors in square]
                square = [list(column) for column in zip(*square, strict=True)]
            for i, row in enumerate(square):
                for j, vector in enumerate(row):
                    b.store(vector, place(target, target_at, target_row, i, target_column, j), align=tile.itemsize)
            return context.get_dummy_value()

        return signature, generate

    return combine


@intrinsic
def copy_block(typingctx, source, source_at, target, target_at):
    """target[target_at : target_at + BLOCK] = source[source_at : ...]"""
    signature = types.void(source, i64, target, i64)

    def generate(context, b, signature, args):
        source, source_at, target, target_at = args
        source_type, _, target_type, _ = signature.args
        block = ir.VectorType(context.get_value_type(source_type.dtype), BLOCK)
        size = source_type.dtype.bitwidth // 8
        source = b.gep(context.make_array(source_type)(context, b, source).data, [source_at])
        target = b.gep(context.make_array(target_type)(context, b, target).data, [target_at])
        value = b.load(b.bitcast(source, block.as_pointer()), align=size)
        b.store(value, b.bitcast(target, block.as_pointer()), align=size)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def fetch(typingctx, source, begin, count):
    """Ask for source[begin : begin + count] to be brought into the cache, and go on without waiting for it.

    This is a hint: past the end of memory it does nothing.
    """
    signature = types.void(source, i64, i64)

    def generate(context, b, signature, args):
        source, begin, count = args
        source_type = signature.args[0]
        number = ir.IntType(32)
        begin = b.gep(context.make_array(source_type)(context, b, source).data, [begin])
        begin = b.bitcast(begin, ir.IntType(8).as_pointer())
        prefetch = ir.FunctionType(ir.VoidType(), [begin.type, number, number, number])
        prefetch = cgutils.get_or_insert_function(b.module, prefetch, "llvm.prefetch.p0")
        end = b.mul(count, ir.Constant(ir.IntType(64), source_type.dtype.bitwidth // 8))
        with cgutils.for_range_slice(b, ir.Constant(end.type, 0), end, ir.Constant(end.type, CACHE_LINE)) as (byte, _):
            b.call(prefetch, [b.gep(begin, [byte]), number(0), number(3), number(1)])  # to read, all levels, data
        return context.get_dummy_value()

    return signature, generate


class Tile:
    """rows × vectors sums in registers, and the instructions on them. It exists only while a kernel is compiled."""

    def __init__(self, context, builder, dtype, rows, vectors):
        scalar = context.get_value_type(dtype)  # float or double
        self.context, self.b = context, builder
        self.itemsize = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.itemsize
        self.vector = ir.VectorType(scalar, self.lanes)
        zeros = ir.Constant(self.vector, [0.0] * self.lanes)
        self.sums = [[cgutils.alloca_once_value(builder, zeros) for _ in range(vectors)] for _ in range(rows)]
        # fmuladd: one fused instruction where the processor has it, else a multiplication and an addition
        fma = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{dtype.bitwidth}"
        self.fma = cgutils.get_or_insert_function(builder.module, fma, name)

    def int(self, value):
        return ir.Constant(ir.IntType(64), value)

    def data(self, array_type, array):
        return self.context.make_array(array_type)(self.context, self.b, array).data

    def multiply_add(self, scalars, vectors_at):
        """sums[r][v] += (the number at scalars[r], in every lane) · (vector v at vectors_at)"""
        b = self.b
        vectors = [b.load(self.vector_at(vectors_at, v), align=self.itemsize) for v in range(len(self.sums[0]))]
        for scalar, sums in zip(scalars, self.sums, strict=True):
            value = self.in_every_lane(b.load(scalar))
            for vector, total in zip(vectors, sums, strict=True):
                b.store(b.call(self.fma, [value, vector, b.load(total)]), total)

    def store_row(self, row, at, add=False):
        """Write row `row` of the sums to memory, or add it to what is there."""
        b = self.b
        for v, total in enumerate(self.sums[row]):
            place = self.vector_at(at, v)
            value = b.load(total)
            if add:
                value = b.fadd(value, b.load(place, align=self.itemsize))
            b.store(value, place, align=self.itemsize)

    def vector_at(self, pointer, number):
        """A pointer to vector `number`, counted from `pointer`."""
        b = self.b
        return b.bitcast(b.gep(pointer, [self.int(number * self.lanes)]), self.vector.as_pointer())

    def combined(self, matrix, vectors):
        """matrix · vectors"""
        return [self.sum_of(row, vectors) for row in matrix]

    def sum_of(self, factors, vectors):
        """Σ factor · vector, beginning with factors of 1, which need no multiplication."""
        total = None
        for factor, vector in sorted(zip(factors, vectors, strict=True), key=lambda term: term[0] != 1):
            if factor == 0:
                continue
            constant = ir.Constant(self.vector, [float(factor)] * self.lanes)
            if total is None:
                total = vector if factor == 1 else self.b.fmul(vector, constant)
            else:
                total = self.b.call(self.fma, [vector, constant, total])
        return total

    def in_every_lane(self, scalar):
        empty = ir.Constant(self.vector, ir.Undefined)
        first = self.b.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.b.shuffle_vector(first, empty, zeros)
