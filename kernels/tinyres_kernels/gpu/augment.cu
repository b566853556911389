// A training batch made on the device where the pictures are: gathered, cropped, mirrored and normalised. The draws
// were made on the host. One thread for every number of x; the state holds the step (see sgd.cu).
//
// A pixel has one of 256 values, so the loader's own normalise() works out once what each becomes. x is read from that
// table and equals the loader's to the last bit, which a multiplication and an addition, fused here, need not do.
#include "common.cuh"

// images (M,C,H,W), of_images (M), draws (steps,batch,4): picture, first row, first column, mirrored; table (256,C)
// -> x (N,H,W,C), labels (N); count = N·H·W·C
extern "C" __global__ void augment(
    const unsigned char* images, const int* of_images, const int* draws, const real* table, const int* state, real* x,
    int* labels, int batch, int C, int H, int W, int count
) {
    FOR_EACH(at, count) {
        const int c = at % C, w = at / C % W, h = at / C / W % H, n = at / C / W / H;
        const int* drawn = draws + (state[0] * batch + n) * 4;
        const int row = drawn[1] + h, column = drawn[2] + (drawn[3] ? W - 1 - w : w);
        const bool inside = row >= 0 && row < H && column >= 0 && column < W;
        const int pixel = inside ? images[((drawn[0] * C + c) * H + row) * W + column] : 0;  // black around
        x[at] = table[pixel * C + c];
        if (at % (C * W * H) == 0) labels[n] = of_images[drawn[0]];
    }
}
