/* Runs a model on inputs of ones and prints the first elements of each output.
 *
 *     run_model MODEL SIZE...
 *
 * Every dimension that is not a fixed number takes the next SIZE, or 2.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tintype.h"

#define MAX_DIMS 16

static void die(const char* what) {
  fprintf(stderr, "%s: %s\n", what, tintype_last_error());
  exit(1);
}

/* A tensor of ones, as far as this example knows the element type. */
static tintype_tensor* ones(const tintype_model* model, size_t i, char*** sizes_left) {
  int64_t sizes[MAX_DIMS];
  size_t ndim = tintype_model_input_ndim(model, i);
  if (ndim > MAX_DIMS) exit(2);
  for (size_t d = 0; d < ndim; ++d) {
    char* end;
    const char* text = tintype_model_input_dim(model, i, d);
    sizes[d] = strtoll(text, &end, 10);
    if (*end == 0) continue;
    sizes[d] = **sizes_left ? atoll(*(*sizes_left)++) : 2;
  }
  tintype_tensor* tensor = tintype_tensor_new(tintype_model_input_dtype(model, i), ndim, sizes, 0);
  if (!tensor) die("tensor");
  if (tintype_tensor_dtype(tensor) == TINTYPE_FLOAT32) {
    float* data = tintype_tensor_data(tensor);
    for (size_t n = 0; n < tintype_tensor_numel(tensor); ++n) data[n] = 1;
  }
  return tensor;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s MODEL SIZE...\n", argv[0]);
    return 2;
  }
  tintype_model* model = tintype_model_load(argv[1]);
  if (!model) die("load");

  size_t num_inputs = tintype_model_num_inputs(model);
  size_t num_outputs = tintype_model_num_outputs(model);
  const tintype_tensor** inputs = calloc(num_inputs + 1, sizeof *inputs);
  tintype_tensor** outputs = calloc(num_outputs + 1, sizeof *outputs);
  if (!inputs || !outputs) return 2;
  char** sizes_left = argv + 2;
  for (size_t i = 0; i < num_inputs; ++i) inputs[i] = ones(model, i, &sizes_left);

  if (tintype_model_run(model, inputs, num_inputs, outputs, num_outputs)) die("run");
  for (size_t k = 0; k < num_outputs; ++k) {
    tintype_tensor* output = tintype_tensor_contiguous(outputs[k]);
    if (!output) die("output");
    printf("%s [", tintype_model_output_name(model, k));
    for (size_t d = 0; d < tintype_tensor_ndim(output); ++d)
      printf(d ? ", %lld" : "%lld", (long long)tintype_tensor_sizes(output)[d]);
    printf("]");
    if (tintype_tensor_dtype(output) == TINTYPE_FLOAT32) {
      const float* data = tintype_tensor_data(output);
      for (size_t n = 0; n < tintype_tensor_numel(output) && n < 8; ++n) printf(" %g", data[n]);
    }
    printf("\n");
    tintype_tensor_free(output);
    tintype_tensor_free(outputs[k]);
  }
  for (size_t i = 0; i < num_inputs; ++i) tintype_tensor_free((tintype_tensor*)inputs[i]);
  free(inputs);
  free(outputs);
  tintype_model_free(model);
  return 0;
}
