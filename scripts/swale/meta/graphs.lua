---@meta _
-- swale.core: graphs and programs.

---@class swale.core
local core = {}

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
