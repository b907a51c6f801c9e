/* Runs Tintype's models without PyTorch.
 *
 * Link with libtintype_runtime.a (and -lpthread -ldl -lm) or libtintype_runtime.so.
 * A function that fails returns null, or a number other than 0; the reason is in
 * tintype_last_error(). Pointers that come back from a function of this header are
 * freed by the matching ..._free, and by nothing else. Models may be run from
 * several threads at once; a tensor must not be written while a model reads it.
 */
#ifndef TINTYPE_H
#define TINTYPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tintype_model tintype_model;
typedef struct tintype_tensor tintype_tensor;

/* Element types, by PyTorch's numbers. */
enum {
  TINTYPE_UINT8 = 0,
  TINTYPE_INT8 = 1,
  TINTYPE_INT16 = 2,
  TINTYPE_INT32 = 3,
  TINTYPE_INT64 = 4,
  TINTYPE_FLOAT16 = 5,
  TINTYPE_FLOAT32 = 6,
  TINTYPE_FLOAT64 = 7,
  TINTYPE_COMPLEX32 = 8,
  TINTYPE_COMPLEX64 = 9,
  TINTYPE_COMPLEX128 = 10,
  TINTYPE_BOOL = 11,
  TINTYPE_BFLOAT16 = 15,
  TINTYPE_FLOAT8_E5M2 = 23,
  TINTYPE_FLOAT8_E4M3FN = 24,
  TINTYPE_FLOAT8_E5M2FNUZ = 25,
  TINTYPE_FLOAT8_E4M3FNUZ = 26,
  TINTYPE_UINT16 = 27,
  TINTYPE_UINT32 = 28,
  TINTYPE_UINT64 = 29
};

/* Bytes of an element; 0 for a number that is none of the above. */
size_t tintype_dtype_size(int32_t dtype);

/* The reason of this thread's last failure; valid until its next one. Never null. */
const char* tintype_last_error(void);

/* --- Models. */

/* Loads a package (.pt2) or a model library (.so). Runs the library's code: load
 * what you trust as you would a program. */
tintype_model* tintype_model_load(const char* path);

/* The same with options: the name of the model in its package (null: the only one),
 * how many runs can go on at once, and how many threads a run computes with
 * (0 for either: as many as there are processors). */
tintype_model* tintype_model_load_with(const char* path, const char* name, size_t concurrency,
                                       size_t num_threads);

/* No run may be going on. Outputs stay valid. */
void tintype_model_free(tintype_model* model);

size_t tintype_model_num_inputs(const tintype_model* model);
size_t tintype_model_num_outputs(const tintype_model* model);

/* Null, or -1, or 0 for an index that is too large. A dimension is a text: "3", "B", "2*B". */
const char* tintype_model_input_name(const tintype_model* model, size_t i);
int32_t tintype_model_input_dtype(const tintype_model* model, size_t i);
size_t tintype_model_input_ndim(const tintype_model* model, size_t i);
const char* tintype_model_input_dim(const tintype_model* model, size_t i, size_t d);
const char* tintype_model_output_name(const tintype_model* model, size_t i);
int32_t tintype_model_output_dtype(const tintype_model* model, size_t i);
size_t tintype_model_output_ndim(const tintype_model* model, size_t i);
const char* tintype_model_output_dim(const tintype_model* model, size_t i, size_t d);

/* Runs the model: 0, and every place in `outputs` filled with a new tensor; or another
 * number, and no place written. A model that writes an input does so in place. An
 * output that is a view of an input shares its memory. */
int tintype_model_run(const tintype_model* model, const tintype_tensor* const* inputs,
                      size_t num_inputs, tintype_tensor** outputs, size_t num_outputs);

/* --- Tensors. */

/* A new contiguous tensor: a copy of the elements at `data`, or zeros if that is null. */
tintype_tensor* tintype_tensor_new(int32_t dtype, size_t ndim, const int64_t* sizes,
                                   const void* data);

/* A tensor over memory of yours, which must stay while the tensor, or an output that
 * is a view of it, is used. Strides are in elements. */
tintype_tensor* tintype_tensor_borrow(int32_t dtype, size_t ndim, const int64_t* sizes,
                                      const int64_t* strides, void* data);

/* A tensor with the same elements, one after the other: shares memory if they lie so already. */
tintype_tensor* tintype_tensor_contiguous(const tintype_tensor* tensor);

void tintype_tensor_free(tintype_tensor* tensor);

int32_t tintype_tensor_dtype(const tintype_tensor* tensor);
size_t tintype_tensor_ndim(const tintype_tensor* tensor);
const int64_t* tintype_tensor_sizes(const tintype_tensor* tensor);
const int64_t* tintype_tensor_strides(const tintype_tensor* tensor);
size_t tintype_tensor_numel(const tintype_tensor* tensor);

/* The first element; the others lie at the strides. */
void* tintype_tensor_data(const tintype_tensor* tensor);

#ifdef __cplusplus
}
#endif

#endif
