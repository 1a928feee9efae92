---@meta _
-- swale.core: what a training step is given: data, schedules, averages, optimizers.

---@class swale.core
local core = {}

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
