---@meta _
-- swale.core: the gradient noise scale, ratios, distributions.

---@class swale.core
local core = {}

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
