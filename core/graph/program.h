/* program.h: a graph's chosen outputs, compiled and run.
 *
 * A program is immutable: nodes in order, epilogues fused, lifetimes known. A workspace is the
 * memory of one execution, planned for a capacity, the largest batch so far: a change to a batch
 * size up to that takes microseconds and allocates nothing. Several workspaces may run one program
 * at the same time.
 */
#ifndef SW_PROGRAM_H
#define SW_PROGRAM_H

#include "graph/graph.h"

typedef struct sw_program sw_program;
typedef struct sw_workspace sw_workspace;

/* Which of a run's vectors an output goes to: gradients to `out`, new values of buffers to `state`.
 * The buffers themselves are a vector of params, which a run only reads. */
enum { SW_TO_OUT, SW_TO_STATE };

typedef struct sw_output {
  sw_edge edge;
  int vector;     /* SW_TO_OUT or SW_TO_STATE */
  int64_t offset; /* >= 0: where in that vector; -1: it stays in the workspace */
} sw_output;

typedef struct sw_program_options {
  const sw_output *outputs;
  int n_outputs;
  sw_dtype real; /* SW_F32 or SW_F64, the float type of everything in it */
  int varying;   /* slot above 0: of a vector that changes from run to run while all else stays, see
                    sw_workspace_rerun; else none */
} sw_program_options;

/* The graph may be changed or released afterwards. SW_EARG for an output that is not there,
 * SW_EDTYPE, SW_ENOMEM. */
SW_API sw_status sw_program_new(sw_graph *g, const sw_program_options *o, sw_program **out);
SW_API sw_program *sw_program_retain(sw_program *p);
SW_API void sw_program_release(sw_program *p);
SW_API sw_dtype sw_program_dtype(const sw_program *p);
/* Slots 0 … n-1; a slot that nothing reads counts, too. */
SW_API int sw_program_inputs(const sw_program *p);
SW_API const sw_type *sw_program_input_type(const sw_program *p,
                                            int slot); /* NULL: nothing reads it */
SW_API int sw_program_outputs(const sw_program *p);
SW_API const sw_type *sw_program_output_type(const sw_program *p, int i);
SW_API int64_t sw_program_output_offset(const sw_program *p, int i); /* as in sw_output */
SW_API int sw_program_output_vector(const sw_program *p, int i);     /* likewise */
/* Bytes that the first part of a program with a varying vector keeps for the second. */
SW_API int64_t sw_program_kept_bytes(const sw_program *p, int64_t batch);
SW_API int sw_program_vectors(const sw_program *p); /* of params: slots 0 … n-1 */
/* Elements that a run's vectors must have: vector slot of params, and the one that outputs go to;
 * 0: it is not used. */
SW_API int64_t sw_program_vector_extent(const sw_program *p, int slot);
SW_API int64_t sw_program_output_extent(const sw_program *p, int vector);
SW_API size_t sw_program_dump(const sw_program *p, char *text,
                              size_t size); /* the compiled form: instructions, buffers */

SW_API sw_status sw_workspace_new(sw_program *p, sw_workspace **out);
SW_API void sw_workspace_free(sw_workspace *w);
SW_API sw_program *sw_workspace_program(const sw_workspace *w); /* borrowed */

/* Plans for batch examples: after it the inputs' buffers can be written. Allocates only if batch is
 * above the capacity. SW_ERANGE for batch < 1 or too large, SW_ENOMEM (then the workspace is as it
 * was). */
SW_API sw_status sw_workspace_batch(sw_workspace *w, int64_t batch);
SW_API int64_t sw_workspace_bytes(const sw_workspace *w);

/* The buffer from which runs read input slot at the current batch size: row-major, real or int32.
 * NULL: nothing reads it. */
SW_API void *sw_workspace_input(sw_workspace *w, int slot);

typedef struct sw_run {
  const void *const *vectors; /* of params, by slot, in the program's float type; read only */
  int n_vectors;
  /* Of SW_TO_OUT and SW_TO_STATE; NULL if no output goes there. Elements that no output writes keep
   * their values. They overlap no other vector. */
  void *out, *state;
  uint64_t seed; /* of random numbers; step and first_example say which of them a run draws */
  int64_t step, first_example;
} sw_run;

/* Runs at the current batch. SW_ERANGE: an index outside its rows or classes, found before anything
 * is computed from it; SW_EARG. */
SW_API sw_status sw_workspace_run(sw_workspace *w, const sw_run *run);

/* A program with a varying vector has two parts: first all that does not depend on it, then the
 * rest. Runs the second part alone, with another varying vector and other vectors for outputs; the
 * other vectors must hold what they held in the last sw_workspace_run. Bits are those of a whole
 * run. SW_EARG: no varying vector, or no whole run since the batch or the inputs (by
 * sw_workspace_input) may have changed. */
SW_API sw_status sw_workspace_rerun(sw_workspace *w, const sw_run *run);
SW_API int64_t sw_workspace_kept_bytes(const sw_workspace *w); /* at the current batch */

/* A run that makes its updates early, while gradients are still in the cache. Output 0 must be a
 * real scalar, the loss: check(arg, loss) sees it before any update, and ends the run by a status
 * that is not SW_OK. update(arg, i) is called once for every output with an offset in `out`, once
 * it is complete there and the run does not read its elements of vectors[0] again; update may write
 * those, and nothing else. Results are those of sw_workspace_run. */
typedef struct sw_updater {
  sw_status (*check)(void *arg, double loss);
  void (*update)(void *arg, int output);
  void *arg;
} sw_updater;

SW_API sw_status sw_workspace_run_updating(sw_workspace *w, const sw_run *run,
                                           const sw_updater *updater);

/* Runs again on the same inputs and checks every result. text says which op made the first NaN,
 * from what shapes and in which layer, or which input held one; it is empty if there was none. */
SW_API sw_status sw_workspace_first_nan(sw_workspace *w, const sw_run *run, char *text,
                                        size_t size);

/* Output i of the last run, which has offset -1: elements (borrowed until the next run or batch)
 * and its shape. */
SW_API const void *sw_workspace_output(const sw_workspace *w, int i, sw_shape *shape);

#endif
