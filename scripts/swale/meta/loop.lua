---@meta _
-- swale.core: the training step, evaluation.

---@class swale.core
local core = {}

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
