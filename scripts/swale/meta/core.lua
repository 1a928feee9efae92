---@meta swale.core
-- What the C module `swale.core` offers. Scripts use `require "swale"`, which is built on it.
--
-- Misuse raises, with the position of the first caller outside Swale's own Lua files. Faults of the
-- environment give `nil, message, code` (code: "EIO", "ENOSPC", "ECORRUPT", "ENOMEM", "ENAN", "EINTERRUPTED", …).
-- Axes, indices and ranges count from 1, negative ones from the end. Labels and argmax count from 0.

---@class swale.core
---@field _VERSION string          the version of libswale; `swale` refuses another one
local core = {}

---@alias swale.dtype "float32"|"float64"|"int32"|"uint8"
---@alias swale.size integer|"batch"|string   a size, the batch, or "2*batch"

-- ------------------------------------------------------------------ the process

---@return string variant          "avx2", "scalar"
function core.variant() end
---@return string[] variants        those that this machine can run, the best first
function core.variants() end
---@return string description      "OpenBLAS 0.3.21 Zen"
function core.blas() end
---@return integer
function core.threads() end
---@param n integer                at least 1
function core.set_threads(n) end
---@return integer
function core.cores() end
---The folder whose Lua files are Swale's own: positions in errors skip them.
---@param path string
function core.set_library(path) end
---@return { live_bytes: integer, live_blocks: integer, peak_bytes: integer, calls: integer }
function core.memory() end
---For tests: makes the n-th allocation of the core from now fail, with persistent also all after it. 0 ends it.
---@param n integer
---@param persistent? boolean
function core.fail_allocation(n, persistent) end
---Makes Ctrl-C set a flag instead of ending the process (a second one ends it). Lua code of the main coroutine then
---raises core.INTERRUPTED at once, and a full disk or closed pipe is an error instead of a signal.
---@param only_sigint? boolean      false: SIGTERM and SIGHUP, too, unless they are ignored
function core.catch_signals(only_sigint) end
---@return boolean
function core.interrupted() end
function core.clear_interrupt() end
---@param on boolean                 true: core.INTERRUPTED is not raised before this is false again
---@return boolean before
function core.defer_interrupt(on) end
---@return boolean                   SIGUSR1, which catch_signals catches unless it takes SIGINT alone, came since the last call
function core.checkpoint_asked() end
---@return integer                   130, 143 or 129: the exit status after the latest interrupt
function core.interrupt_status() end
---@param signal "sigint"|"sigterm"|"sighup"
---@return boolean
function core.is_ignored(signal) end

---@class swale.Lock
local Lock = {}
function Lock:release() end

---@param path string                created if it does not exist
---@return swale.Lock|nil, string? message, string? code   nil: "EHELD", by another process; a fault
function core.hold(path) end
---@param path string
---@return boolean|nil, string? message, string? code      nil: that cannot be told
function core.is_held(path) end
---@param pid integer                of the parent; this process gets SIGTERM when that ends
function core.die_with_parent(pid) end
---@return integer|nil columns, integer? rows   of the terminal on stderr; 0: not known; nil: none
function core.terminal_size() end
---@param bytes integer              that this process may allocate; mapped files do not count
---@return true|nil, string? message, string? code
function core.limit_memory(bytes) end

---@class swale.MetricsFile    a metrics.jsonl as columns of numbers; rows count from 1
local MetricsFile = {}
---@return string[]            of lines, in the order of their first one; "" of lines without a kind
function MetricsFile:kinds() end
---@param kind string
---@return integer
function MetricsFile:rows(kind) end
---@param kind string
---@return string[]
function MetricsFile:names(kind) end
---@param kind string
---@param name string
---@param rows? integer[]      all, unless given
---@return number[]|nil        nan where a row has no value; nil: no such column
function MetricsFile:values(kind, name, rows) end
---@param kind string
---@param name string
---@return { count: integer, last: integer, least: integer?, greatest: integer? }|nil   the last three are rows
function MetricsFile:summary(kind, name) end
---@param kind string
---@param name string
---@param points integer       4 or more
---@return integer[]|nil       at most so many rows: the first, the last, the least and greatest between
function MetricsFile:thin(kind, name, points) end
function MetricsFile:free() end

---@param path string
---@param kind? string         of lines; all, unless given
---@return swale.MetricsFile|nil, string? message, string? code
function core.metrics_read(path, kind) end

---@class swale.Sqlite         a connection; faults have SQLite's message and a code: EBUSY, ECORRUPT, ESQL, …
local Sqlite = {}
---@param sql string           statements without parameters
---@return true|nil ok, string? message, string? code
function Sqlite:execute(sql) end
---@param sql string
---@return swale.Statement|nil statement, string rest, string? code   rest: the text behind the statement
function Sqlite:prepare(sql) end
---From now on it prepares nothing but SELECT, and what was prepared before is not affected.
---@return true|nil ok, string? message, string? code
function Sqlite:restrict() end
---@return integer             rows that the last statement changed
function Sqlite:changes() end
function Sqlite:close() end

---@class swale.Statement
local Statement = {}
---@param ... number|string|boolean|nil    a value for each parameter; it starts anew; nan is refused
---@return swale.Statement|nil self, string? message, string? code
function Statement:bind(...) end
---@return boolean|nil row, string? message, string? code   false: no more rows
function Statement:step() end
---@return any ...             the row's values
function Statement:row() end
---@return string[]
function Statement:columns() end
function Statement:close() end

---@param path string
---@param mode "create"|"write"|"read"
---@return swale.Sqlite|nil, string? message, string? code
function core.sqlite_open(path, mode) end

---The error value raised after Ctrl-C.
core.INTERRUPTED = {}
---A NaN that is printed as nan: that of 0 / 0 has a sign on some machines.
core.NAN = 0 / 0
core.LOOP_NORMS = 32 -- measured steps whose norms a loop keeps
core.NOISE_MEASUREMENTS = 32 -- fewest that a noise scale is estimated from
core.NOISE_BLOCKS = 8 -- fewest blocks of its window
---Writes to a temporary name in the same folder, syncs, renames.
---@param path string
---@param text string
---@return true|nil ok, string? message, string? code
function core.write_file(path, text) end
---The SHA-256 of a text, as hexadecimal digits.
---@param text string
---@return string
function core.sha256(text) end
---The SHA-256 of a regular file.
---@param path string
---@return string|nil digest, string? message, string? code
function core.file_sha256(path) end
---Objects with sorted keys; a sequence is an array, an empty table an object; nan, inf and -inf are strings;
---floats keep all their digits, integers stay integers; bytes that are not UTF-8 become U+FFFD.
---@param value any
---@param indent? integer           spaces; nil: one line
---@return string
function core.json_encode(value, indent) end
---@param text string
---@return any value, string? message, string? code     nil and why if it is not JSON; JSON's null is nil
function core.json_decode(text) end

-- ------------------------------------------------------------------ tensors

---@class swale.Tensor
---@operator add(swale.Tensor|number): swale.Tensor
---@operator sub(swale.Tensor|number): swale.Tensor
---@operator mul(swale.Tensor|number): swale.Tensor
---@operator div(swale.Tensor|number): swale.Tensor
---@operator pow(swale.Tensor|number): swale.Tensor
---@operator unm: swale.Tensor
---@operator len: integer           size of the first axis
---@field [integer] number|swale.Tensor   t[i]: an element of a vector, else a view without the first axis; negative from the end,
---past the end nil, so that ipairs ends; t[i] = v sets an element, or fills a row with a number or a tensor
local Tensor = {}

---@param values number|table       a number, or nested tables of one shape
---@param dtype? swale.dtype        float32
---@return swale.Tensor
function core.tensor(values, dtype) end
---@param shape integer[]
---@param dtype? swale.dtype
---@return swale.Tensor
function core.zeros(shape, dtype) end

---@return swale.dtype
function Tensor:dtype() end
---@return integer[]
function Tensor:shape() end
---@return integer
function Tensor:ndim() end
---@return integer
function Tensor:numel() end
---@return number                   the only element
function Tensor:item() end
---@param ... integer               one index an axis
---@return number
function Tensor:get(...) end
---@param ... number                indices, then the value
function Tensor:set(...) end
---@return number|table             nested tables
function Tensor:table() end
---@param shape integer[]           one may be -1
---@return swale.Tensor             a view where that is possible
function Tensor:reshape(shape) end
---@param axis integer
---@param index integer
---@return swale.Tensor             a view without that axis
function Tensor:select(axis, index) end
---@param axis integer
---@param first integer
---@param length integer
---@return swale.Tensor             a view
function Tensor:narrow(axis, first, length) end
---@param axis1 integer
---@param axis2 integer
---@return swale.Tensor             a view
function Tensor:transpose(axis1, axis2) end
---@param shape integer[]
---@return swale.Tensor             a read-only view
function Tensor:broadcast(shape) end
---@return boolean
function Tensor:is_contiguous() end
---@return swale.Tensor
function Tensor:contiguous() end
---@return swale.Tensor
function Tensor:clone() end
---@param dtype swale.dtype
---@return swale.Tensor
function Tensor:to(dtype) end
---In place; returns self. So do copy, add, lerp, scale.
---@param value number
---@return swale.Tensor self
function Tensor:fill(value) end
---@param source swale.Tensor
---@return swale.Tensor self
function Tensor:copy(source) end
---self += alpha x
---@param alpha number
---@param x swale.Tensor
---@return swale.Tensor self
function Tensor:add(alpha, x) end
---self += t (x - self)
---@param t number
---@param x swale.Tensor
---@return swale.Tensor self
function Tensor:lerp(t, x) end
---self *= c
---@param c number
---@return swale.Tensor self
function Tensor:scale(c) end
---@param x swale.Tensor
---@return number
function Tensor:dot(x) end
---@return number                   Euclidean
function Tensor:norm() end
---Frees the memory now; using the tensor afterwards raises. Also done on `<close>` and on collection.
function Tensor:free() end

---@class swale.Random
local Random = {}
---A stream of random numbers: Philox 4x32-10 with key seed and stream (name, n).
---@param seed integer
---@param name string
---@param n? integer
---@return swale.Random
function core.random(seed, name, n) end
---@return number                   [0, 1)
function Random:uniform() end
---@return number
function Random:normal() end
---@param n integer
---@return integer                  1 … n
function Random:integer(n) end
---@param t swale.Tensor            floats, filled in place
---@param low number
---@param high number
---@return swale.Tensor t
function Random:fill_uniform(t, low, high) end
---@param t swale.Tensor
---@param mean number
---@param std number
---@return swale.Tensor t
function Random:fill_normal(t, mean, std) end
---@param n integer
---@return swale.Tensor             int32, a permutation of 0 … n-1
function Random:permutation(n) end
---@return integer[]                stream and position, for load
function Random:save() end
---@param saved integer[]           what save gave
---@return swale.Random self
function Random:load(saved) end

-- ------------------------------------------------------------------ graphs and programs

---@class swale.Node                an edge of a graph; the ops of swale.ops are its methods
---@operator add(swale.Node|swale.Tensor|number): swale.Node
---@operator sub(swale.Node|swale.Tensor|number): swale.Node
---@operator mul(swale.Node|swale.Tensor|number): swale.Node
---@operator div(swale.Node|swale.Tensor|number): swale.Node
---@operator pow(swale.Node|swale.Tensor|number): swale.Node
---@operator unm: swale.Node
---@operator len: integer           size of the first axis, which must not be the batch
---@field [integer] swale.Node      likewise: a slice of the first axis, without it; past the end nil
local Node = {}
---@return swale.size[]
function Node:shape() end
---@return integer
function Node:ndim() end
---@return "real"|"index"
function Node:kind() end
---@return "constant"|"by_example"|"mixed"
function Node:dependence() end
---Names the nodes that are added to its graph from now on, and their derivatives, in messages; "" ends it.
---@param text string
---@return string before
function Node:label(text) end

---@class swale.Graph
local Graph = {}
---@return swale.Graph
function core.graph() end
---@param slot integer              1, 2, …: position among the inputs of a run
---@param kind "real"|"index"
---@param shape swale.size[]
---@return swale.Node
function Graph:input(slot, kind, shape) end
---@param first integer             position of its first element in the vector, from 1
---@param shape integer[]
---@param vector? integer           1, the weights, unless told otherwise; at most 16
---@return swale.Node
function Graph:param(first, shape, vector) end
---@param of swale.Node             a scalar, unless there is a seed
---@param wrt swale.Node[]
---@param seed? swale.Node          of of's shape: the gradient of <of, seed>, seed held fixed
---@return (swale.Node|false)[]|nil grads, string? message, string? code   false where there is no
---path; nil, why, "EUNSUPPORTED" where an op has no derivative
function Graph:gradient(of, wrt, seed) end
---@param grads (swale.Node|false)[]  as gradient gave them, of params, of a mean over examples
---@return swale.Node|nil norms, string? message, string? code, integer? culprit   (batch) squared
---norms; nil, why, "EUNSUPPORTED", the position in grads of the one at fault, if it is one
function Graph:example_norms(grads) end
---@param outputs swale.Node[]
---@return string
function Graph:dump(outputs) end

---The graph in the language of Graphviz.
---@param outputs swale.Node[]
---@return string
function Graph:dot(outputs) end

---Each op reads some of them and refuses the others.
---@class swale.Attributes
---@field axes? integer[]
---@field keepdim? boolean
---@field transpose_a? boolean
---@field transpose_b? boolean
---@field shape? swale.size[]       reshape: one may be -1
---@field perm? integer[]
---@field value? number
---@field batch_power? integer
---@field n? integer
---@field first? integer            slice: of the elements taken, from 1
---@field before? integer           pad: elements put in front
---@field ignored? integer          one_hot: a label that gives zeros alone
---@field kernel? integer|integer[]  of windows over images: both, or { rows, columns }
---@field stride? integer|integer[]  1
---@field padding? integer|integer[] 0
---@field dilation? integer|integer[] 1
---@field size? integer|integer[]    of an image
---@field groups? integer            of channels, 1

---Applies an op of the op table to nodes (adds a node) or to tensors (computes). Numbers may be operands.
---@param op string
---@param attributes swale.Attributes|nil
---@param ... swale.Node|swale.Tensor|number
---@return any ...                  its outputs
function core.apply(op, attributes, ...) end
---@return string[]                 names of all ops
function core.ops() end
---Adds functions to the methods of tensors and nodes.
---@param class "tensor"|"node"
---@param methods table<string, function>
function core.extend(class, methods) end
---Sets the function that is called for an unknown name: f(class, name, methods). It raises.
---@param f fun(class: string, key: any, methods: table<string, function>)
function core.on_missing(f) end
---@param value any
---@return "tensor"|"node"|"graph"|"program"|"loop"|"source"|"average"|"noise"|"schedule"|"random"|"arpack"|"lbfgsb"|nil
function core.type(value) end

-- ------------------------------------------------------------------ order

---NaN counts as the largest value.
---@param t swale.Tensor
---@param axis integer
---@param descending? boolean
---@return swale.Tensor values
---@return swale.Tensor order       int32, from 0
function core.sort(t, axis, descending) end
---@param t swale.Tensor            float32 or float64
---@param q number[]                each from 0 to 1, at most 1000
---@param axis integer              in the result it has an element for each q
---@return swale.Tensor
function core.quantile(t, q, axis) end
---@param t swale.Tensor            float32 or float64
---@param axis integer
---@return swale.Tensor
function core.cumsum(t, axis) end

-- ------------------------------------------------------------------ linear algebra

---Of tensors of float32 or float64 with two dimensions; `sw.linalg` describes each.
---@param a swale.Tensor            symmetric
---@param only_values? boolean
---@return swale.Tensor values
---@return swale.Tensor? vectors
function core.eigh(a, only_values) end
---@param diagonal swale.Tensor     (n)
---@param beside swale.Tensor       (n - 1)
---@param only_values? boolean
---@return swale.Tensor values
---@return swale.Tensor? vectors
function core.eigh_tridiagonal(diagonal, beside, only_values) end
---@param a swale.Tensor
---@return swale.Tensor u
---@return swale.Tensor s
---@return swale.Tensor vt
function core.svd(a) end
---@param a swale.Tensor
---@return swale.Tensor q
---@return swale.Tensor r
function core.qr(a) end
---@param a swale.Tensor            symmetric
---@return swale.Tensor|nil l       nil: it is not positive definite
---@return integer? minor           then the order of the first leading minor that is not positive
function core.cholesky(a) end
---@param a swale.Tensor
---@return number sign
---@return number log
function core.slogdet(a) end
---@param a swale.Tensor
---@param b swale.Tensor
---@return swale.Tensor x
function core.solve(a, b) end
---@param a swale.Tensor
---@param b swale.Tensor
---@param upper? boolean
---@return swale.Tensor x
function core.solve_triangular(a, b, upper) end
---@param a swale.Tensor
---@param b swale.Tensor
---@return swale.Tensor x
---@return integer rank
---@return swale.Tensor s
function core.lstsq(a, b) end

---@class swale.Arpack              a few eigenpairs of a symmetric matrix, in float64
local Arpack = {}
---@class swale.ArpackOptions
---@field k? integer                1
---@field which? "largest"|"smallest"|"both"|"magnitude"
---@field basis? integer            Lanczos vectors; 2 k + 1, at least 20, at most n
---@field restarts? integer         300
---@field tolerance? number         of an error bound, relative; 0: epsilon
---ARPACK has static memory: a process runs one solve at a time, until it is closed or collected.
---@param n integer
---@param start swale.Tensor        (n), float64
---@param o? swale.ArpackOptions
---@return swale.Arpack|nil solver, string? why, string? code      nil: EUNSUPPORTED, no ARPACK
function core.arpack(n, start, o) end
---@return swale.Tensor|nil x       to be multiplied; nil: done, or a fault
---@return swale.Tensor|string|nil y    the product is to be written here before the next step
---@return string? code             ENAN: the product is not finite
function Arpack:step() end
---@return swale.Tensor values      (m), ascending: those that converged
---@return swale.Tensor vectors     (m, n), rows of norm 1
function Arpack:result() end
---@return integer
function Arpack:products() end

---@class swale.Lbfgsb              minimises a function of a float64 vector within bounds, by L-BFGS-B
local Lbfgsb = {}
---@class swale.LbfgsbOptions
---@field memory? integer           10, at most 100
---@field tolerance? number         of the largest element of the projected gradient; 0: none
---@field decrease? number          of the value in an iteration, relative to max(|value|, 1); 0: none
---@param x0 swale.Tensor           (n), float64
---@param lower? swale.Tensor       (n); -inf: none
---@param upper? swale.Tensor
---@param o? swale.LbfgsbOptions
---@return swale.Lbfgsb|nil solver, string? why, string? code      nil: EUNSUPPORTED, no library
function core.lbfgsb(x0, lower, upper, o) end
---@param value? number             at x, after "evaluate", with the gradient written
---@return "evaluate"|"iterate"|"converged"|"abnormal"|nil task    nil: a fault
---@return string? why
---@return string? code             ENAN: value or gradient is not finite
function Lbfgsb:step(value) end
---@return swale.Tensor             a copy
function Lbfgsb:x() end
---@return swale.Tensor             to be written before the step that follows "evaluate"
function Lbfgsb:gradient() end
---@return string                   the library's own words
function Lbfgsb:reason() end

---@class swale.Program
local Program = {}
---@param graph swale.Graph
---@param outputs swale.Node[]
---@param options? { dtype?: "float32"|"float64", offsets?: (integer|false)[], vectors?: table<integer, 1|2>, varying?: integer }   varying: a vector that changes from run to run while all else stays, see :rerun. offsets: where outputs go in their vector, from 1; vectors[i]: which that is: 1, a run's out (the default), or 2, its state
---@return swale.Program
function core.program(graph, outputs, options) end
---@class swale.ProgramRun
---@field inputs? swale.Tensor[]
---@field vectors? swale.Tensor[]   that the params lie in: weights, buffers, …
---@field batch? integer            from the inputs unless given
---@field out? swale.Tensor         takes the outputs that have offsets
---@field state? swale.Tensor       takes those that go to vector 2: new values of buffers, which themselves are only read
---@field seed? integer             of random numbers, 0
---@field step? integer             which of the seed's numbers are drawn, 0
---@field first_example? integer    likewise: the position of the batch's first example in the stream of examples, 1
---@param o swale.ProgramRun
---@return swale.Tensor ...         outputs that have no offset, as copies
function Program:run(o) end
---Runs again what depends on the varying vector, and nothing else, with another varying vector (and out, state); inputs, batch and the
---other vectors are those of the last :run. Bits are those of a whole run.
---@param o swale.ProgramRun        without inputs and batch
---@return swale.Tensor ...
function Program:rerun(o) end
---@param batch integer
---@return integer                  bytes that a run keeps for :rerun
function Program:kept_bytes(batch) end
---Runs as :run does and checks every result.
---@param o swale.ProgramRun
---@return string|nil               which op made the first NaN, or what was given with one; nil: none
function Program:first_nan(o) end
---@return string                   instructions, buffers, sizes
function Program:dump() end
---@return integer                  bytes of its workspace
function Program:bytes() end

-- ------------------------------------------------------------------ training

---@class swale.Source
---@operator len: integer           examples
local Source = {}
---@class swale.SourceOptions
---@field x swale.Tensor            (N, …) uint8 or float32; indices: uint8 or int32
---@field y? swale.Tensor           (N, …) int32 or uint8 labels, or float32 targets
---@field scale? swale.Tensor       one a feature, as shift
---@field shift? swale.Tensor
---@field classes? integer          wanted with labels
---@field ignored? integer          a label that may be outside of them
---@field vocabulary? integer       x are indices 0 … vocabulary-1
---@field shaped? boolean           rows keep x's axes; else they are one axis. Indices keep them
---@field crop? integer             of images (N, height, width, channels): pixels of a black frame
---@field flip? boolean             left to right

---@param o swale.SourceOptions
---@return swale.Source
function core.source(o) end
---@return integer
function Source:features() end
---@return integer[]                of a row
function Source:shape() end
---With a seed: cropped and flipped as in a training that has seen position examples before.
---@param index swale.Tensor        int32, from 0
---@param seed? integer
---@param position? integer         from 0
---@return swale.Tensor x, swale.Tensor? y    float32, normalised, or int32; int32 labels or float32 targets
function Source:gather(index, seed, position) end

---@class swale.NativeSchedule      immutable; may be a part of several others
local NativeSchedule = {}
---@alias swale.NativeDuration { amount: number, unit: "steps"|"examples"|"epochs" }

---@class swale.Field: swale.Interval   least, most and open: of a number
---@field name string
---@field default number|boolean|string|nil   nil: of durations, lists and schedules

---@class swale.NativeScheduleOptions: { [string]: any }
---@field kind string               of core.schedule_kinds; the others are those of core.schedule_fields(kind)

---A schedule of a kind: schedule/kinds.lua and schedule/combine.lua have the formulas. It takes the fields of its kind alone.
---All durations of one schedule are in steps, or none is.
---@param o swale.NativeScheduleOptions
---@return swale.NativeSchedule
function core.schedule(o) end
---@return string[]
function core.schedule_kinds() end
---@param kind string
---@return swale.Field[]            that the kind takes
function core.schedule_fields(kind) end
---@param step integer
---@param examples integer
---@param next_examples integer
---@param epoch_examples integer
---@return number
function NativeSchedule:at(step, examples, next_examples, epoch_examples) end

---@class swale.Average
local Average = {}
---swa: the mean of all points. ema: PyTorch's, the first point is copied, then  mean += (1 - decay) (w - mean).
---last: the mean of the last k points (LAWA), which it keeps.
---@param n integer
---@param dtype? "float32"|"float64"
---@param o? { kind?: "swa"|"ema"|"last", decay?: number, k?: integer }   swa; decay 0.999
---@return swale.Average
function core.average(n, dtype, o) end
---By name: the defaults of the numbers that the kind takes.
---@return table<string, table<string, number>>
function core.average_kinds() end
---@param weights swale.Tensor
function Average:update(weights) end
---Continues from the result of state, after count points.
---@param state swale.Tensor        swa, ema: the mean; last: (points kept, n), oldest first
---@param count integer
---@param carry? swale.Tensor       the result of carry; zeros
function Average:restore(state, count, carry) end
---@return swale.Tensor             a copy of what restore takes
function Average:state() end
---@return swale.Tensor             a copy: what is below the last digit of the mean
function Average:carry() end
---@return integer                  points taken in
function Average:count() end
---@return swale.Tensor             a copy; raises before the first update
function Average:mean() end

---@class swale.Interval
---@field least number
---@field most number
---@field open boolean               most itself is outside

---@class swale.HyperRow: swale.Interval   a number that may change from step to step
---@field name swale.Hyper
---@field whole boolean              rounded down to a whole number

---@return swale.HyperRow[]
function core.hyperparameters() end

---@class swale.OptimizerRow
---@field name string
---@field moments string[]           the vectors that it keeps, by their names in checkpoints
---@field only_with_momentum boolean  it keeps them only where the momentum is above 0
---@field external boolean           it updates nothing: a script does, after each step
---@field decay_in_gradient boolean  weight decay is added to the gradient; else it is apart, or there is none
---@field momentum swale.Field   its range may be narrower than that of the hyperparameter
---@field fields swale.Field[]      options of core.loop and core.update

---@return table<string, swale.OptimizerRow>   by name
function core.optimizers() end

---@param name string
---@param momentum number
---@return integer                  vectors that it keeps with this momentum
function core.optimizer_moments(name, momentum) end

---One update of w, the same bits as a step of a loop that clips nothing.
---@param o table                    optimizer, and the fields of its row
---@param w swale.Tensor             contiguous; updated
---@param g swale.Tensor             like w
---@param state table                holds its moments by name; those that are missing are made
---@param numbers { lr: number, momentum?: number, weight_decay?: number, step: integer }
---@return true|nil ok, string? message, string? code    nil, message, "ENAN": g or new weights are not finite
function core.update(o, w, g, state, numbers) end

---@class swale.Loop
local Loop = {}
---@class swale.LoopSegment         a range of the weights; together they cover them, in order
---@field first integer              from 1
---@field length integer
---@field lr_factor? number          1
---@field weight_decay_factor? number  1
---@field frozen? boolean            neither updated nor counted in the gradient's norm

---@class swale.LoopOptions
---@field program swale.Program     outputs: loss, then gradients with offsets; inputs: features, labels
---@field measured? swale.Program   outputs: loss, per-example squared norms, then gradients with offsets
---@field weights swale.Tensor      flat; written in place
---@field source swale.Source
---@field seed? integer             of the order of examples, and of random numbers in the programs
---@field order? "shuffled"|"independent"|"sequential"   shuffled; independent draws are with replacement
---@field subset? swale.Tensor      int32, from 0: the examples that are trained on; they make an epoch
---@field optimizer? string       of core.optimizers; sgd
---@field [string] any             and the fields of its row, by name
---@field max_norm? number          the whole gradient is scaled down to this norm (state.grad_norm is before); nil: never
---@field segments? swale.LoopSegment[]     nil: all the weights are one
---@field micro_batch? integer      most examples a program run; larger batches are accumulated, in order; nil: none is
---@field coupling? "none"|"linear"|"sqrt"  lr times batch_size / reference_batch, or its root; none
---@field reference_batch? integer  1 or more, with coupling
---@field buffers? swale.Tensor     flat: params in vector 2. What the programs give their state is copied there by each update, if it is finite
---@param o swale.LoopOptions
---@return swale.Loop
function core.loop(o) end
---@alias swale.Hyper "lr"|"batch_size"|"momentum"|"weight_decay"
---@param name swale.Hyper          momentum is Adam's beta1, too
---@param value number|swale.NativeSchedule
function Loop:set(name, value) end
---Steps every, 2 every, … run the measured program, whose norms are kept: the last LOOP_NORMS.
---@param every integer             steps; 0: never
---@param regularised? boolean      also of the objective with weight decay; false
function Loop:measure(every, regularised) end

---The coming step runs the measured program, too.
function Loop:measure_next() end
---Measurement i, from 1; nil: not made yet, or not kept any more.
---@param i integer
---@return integer|nil step, integer examples, integer batch, number momentum, number sum_sumsq, number grad_sumsq, number regularised_sumsq    trained on before; sums over the batch of |g_i|^2; |g|^2 of their mean; |g + decay w|^2, nan: not asked for
function Loop:norms(i) end

---Seconds of all measured steps; of those before a plain step with the same batch size; of these plain steps.
---@return number measured, number paired, number plain
function Loop:cost() end
---@param steps integer
---@param stop_examples? integer    stops after the first update that reaches or crosses it
---@param t? table                  filled as by state
---@return "steps"|"examples"|"interrupted"|nil why, string? message, string? code    nil, message, "ENAN": loss, gradient, weights or buffers are not finite, see state; but for the loss it goes on only after restore
function Loop:advance(steps, stop_examples, t) end
---Returns a function that sets these numbers to those it is called with, and makes one step. It returns step, examples, epoch,
---loss, grad_norm, lr and batch_size; before them, whether anything else that state gives has changed since it gave
---the last, or an interrupt has come: true the first time. Without a step: nil, i, value if value i is none that a loop can have; or nil, message, code.
---@param ... swale.Hyper           a batch_size is rounded down
---@return fun(...: number): boolean|nil, ... step
function Loop:stepper(...) end
---Fills t with step, examples, epoch, loss, grad_norm, lr, momentum, weight_decay, batch_size, measurements (made so
---far), loss_sum and loss_examples (since the last take_mean), bad_loss, bad_grad_norm, fault ("loss", "gradient", "weights", "buffers" or false); with a fault bad_step, bad_segment (0: none).
---@generic T: table
---@param t T
---@return T
function Loop:state(t) end
---@return number                   mean loss per example since the last call; nan if there was no step
function Loop:take_mean() end
---Steps every, 2 every, … note how much each segment moved; 0: never.
---@param every integer
function Loop:watch_updates(every) end
---|change of the weights| / |weights before it| of each segment, at the last step that noted it.
---@param t number[]                filled; 0 for what did not move
---@return integer|nil step         nil: not noted yet
function Loop:update_ratios(t) end
---@return swale.Tensor|nil         the first vector that the optimizer keeps, a view; nil before the first update that keeps one
function Loop:momentum() end
---@return table<string, swale.Tensor>   views of the moments that the optimizer keeps. Empty before the first update
function Loop:state_vectors() end
---Continues after that many steps, with the result of state_vectors there. The caller sets the weights.
---@class swale.LoopResume          as state and state_vectors gave them
---@field step integer
---@field examples integer
---@field loss? number              nan
---@field grad_norm? number         nan
---@field batch_size? integer       of the last update, with lr, momentum and weight_decay; else those of the coming one are shown
---@field lr? number
---@field momentum? number
---@field weight_decay? number
---@field loss_sum? number          0
---@field loss_examples? integer    0
---@field vectors? table<string, swale.Tensor>
---@param o swale.LoopResume
function Loop:restore(o) end
---@return swale.Tensor|nil         the last gradient, a view: before clipping; of optimizer "none": clipped
function Loop:gradient() end
---Checks that weights and buffers are finite.
---@return true|nil fine, string? message, string? code    nil, message, "ENAN": they are not finite
function Loop:check() end
---After a loss that is not finite: computes it again and checks every result.
---@return string|nil               which op made the first NaN, or what was given with one; nil: none
function Loop:first_nan() end

---Sums of the program's (batch) outputs over all examples of source.
---@param program swale.Program
---@param weights swale.Tensor
---@param source swale.Source
---@param batch? integer            1000
---@param buffers? swale.Tensor     if the program reads them
---@return number[]|nil sums, string? message, string? code
function core.evaluate(program, weights, source, batch, buffers) end
---@class swale.NoiseWindow               the gradient noise scale over a window of measured steps
local Noise = {}
---@param o? { target?: "train"|"population", independent?: boolean, n?: integer, window?: integer, regularised?: boolean }   n: size of the training set; nil: there are always more examples. independent: drawn with replacement. window: examples, 0: as few as an estimate needs
---@return swale.NoiseWindow
function core.noise(o) end
---One measured step, as loop:norms gives it. Ignored: a batch of 1, norms that are not finite.
---@param step integer
---@param examples integer
---@param batch integer
---@param momentum number
---@param sum_sumsq number
---@param grad_sumsq number
---@param regularised_sumsq? number    |g + decay w|^2; without it a regularised one ignores the step
function Noise:add(step, examples, batch, momentum, sum_sumsq, grad_sumsq, regularised_sumsq) end
---@return "pending"|"unresolved"|"resolved" status, number value, number low, number high, number sure    sure: a lower end that is above the window's ratio at any time in 1 of 40 trainings
function Noise:read() end
---@return number s, number g2      means over the window: tr(Sigma) and |G|^2; nan: nothing is in it
function Noise:parts() end
---@return integer first, integer last, integer measurements, integer blocks, number span   the window of the estimate: its steps, and what is in it; updates that a block needs
function Noise:window() end
---@return { cells: number[], latest: number[], look: number[] }   plain data, for load
function Noise:save() end
---@param saved { cells: number[], latest: number[], look: number[] }
function Noise:load(saved) end
---For tests and other estimators: the Fieller set of mean(a) / mean(b).
---@param a number[]
---@param b number[]
---@param t number
---@return "unresolved"|"resolved" status, number value, number low, number high
function core.fieller(a, b, t) end
---@class swale.Ratio
---@field a number
---@field b number
---@field vaa number          their variances and covariance
---@field vab number
---@field vbb number
---@field t number            the two-sided quantile
---@field signed? boolean     the ratio can be negative; false: the set is cut to 0 and above
---For estimators: the Fieller set of a / b (core/measure/fieller.h).
---@param o swale.Ratio
---@return "pending"|"unresolved"|"resolved" status, number value, number low, number high
function core.ratio(o) end

---P(Z <= x) of the normal distribution.
---@param x number
---@return number
function core.normal_cdf(x) end
---@param p number                  nan outside of [0, 1]
---@return number x                 with normal_cdf(x) = p
function core.normal_quantile(p) end
---P(T <= t) of Student's t.
---@param t number
---@param df number                 degrees of freedom, above 0, also infinite or not whole
---@return number
function core.student_cdf(t, df) end
---@param p number                  nan outside of [0, 1]
---@param df number
---@return number t                 with student_cdf(t, df) = p; 0.975: the two-sided 95 % quantile
function core.student_quantile(p, df) end

-- ------------------------------------------------------------------ files

---The bytes of a string as they are, or as a table of 256 of them says.
---@param text string
---@param table? string
---@return swale.Tensor             uint8, one axis
function core.bytes(text, table) end
---@param path string
---@return swale.Tensor|nil tensor, string? message, string? code
function core.idx_read(path) end
---@param tensor swale.Tensor
---@param path string
---@return true|nil ok, string? message, string? code
function core.idx_write(tensor, path) end
---@param path string
---@param kind "cifar10"|"cifar100"
---@return swale.Tensor|nil x, swale.Tensor|string y, string? code    uint8 (N, 32, 32, 3); (N, 1), or (N, 2): coarse, fine
function core.cifar_read(path, kind) end
---NumPy's format, in either byte order: float16 is read as float32, bool as uint8, other integers
---as int32 if every value fits.
---@param path string
---@return swale.Tensor|nil tensor, string? message, string? code
function core.npy_read(path) end
---@param tensor swale.Tensor
---@param path string
---@return true|nil ok, string? message, string? code
function core.npy_write(tensor, path) end
---@class swale.CsvReadOptions
---@field separator? string         one character; nil: found from the first line
---@field header? boolean           whether the first line has names; nil: inferred
---@field dtype? "float32"|"float64"
---@field missing? "refuse"|"nan"   what an empty field, NA, N/A or null is
---@field label? string|integer     the column of class labels: its name, or its place (-1: the last)
---@field classes? string[]         the labels' words; nil: labels are whole numbers from 0
---@param path string
---@param options? swale.CsvReadOptions
---@return swale.Tensor|nil values, swale.Tensor|false|string labels, string[]|string names    (rows, columns but the label's); int32 (rows)
function core.csv_read(path, options) end
---@param tensor swale.Tensor       of one or two dimensions
---@param path string
---@param names? string[]           one a column
---@return true|nil ok, string? message, string? code
function core.csv_write(tensor, path, names) end
---@param path string
---@param tensors table<string, swale.Tensor>    written in the order of their names
---@param metadata? table<string, string>
---@return true|nil ok, string? message, string? code
function core.safetensors_write(path, tensors, metadata) end
---float16 and bfloat16 are read as float32, bool as uint8, other integers as int32 if every value
---fits.
---@param path string
---@param mapped? boolean           views of the file, read only
---@return table<string, swale.Tensor>|nil tensors, table<string, string>|string metadata, string? code
function core.safetensors_read(path, mapped) end

return core
