--- The loss around SGD's and SWA's weights: rays, the line through both, a plane. At each point the
--- statistics of batch norms are re-estimated on the sample of training examples.
local sw = require "swale"

local M = {}

---@param run swale.Run          its folder gets csv files of all numbers
---@param p table                rays, rise, sample, grid; plane: the seed that draws one
---@param o { data: swale.Data, model: swale.Model, points: table, path: swale.Tensor[] }
---@return table<string, any>
function M.measure(run, p, o)
  local at, r = o.points, { distance = o.points.swa:distance(o.points.sgd) }
  local function scene(more)
    more.on, more.model = { train = o.data.train, test = o.data.test }, o.model
    more.examples = math.min(p.sample, #o.data.train, #o.data.test)
    return more
  end

  for _, name in ipairs { "sgd", "swa" } do
    local rays = sw.landscape.rays(at[name], scene { rise = p.rise, n = p.rays, tolerance = 0.01,
      first = 0.1 * at[name]:norm(), seed = run.seed })
    rays:save(("%s/rays_%s.csv"):format(run.dir, name))
    r[name] = { width = rays.mean.value, norm = at[name]:norm(), points = select(2, rays:table()) }
    run:print("%s: width %s, |w| %.4g", name, rays.mean, at[name]:norm())
  end

  local line = sw.landscape.line(at.swa, at.sgd, scene { points = 10 }):save(run.dir .. "/line.csv")
  r.line = select(2, line:table()) -- alpha, train and test loss, train and test accuracy

  if p.plane == run.seed then
    local plane = sw.landscape.plane(scene { at.sgd, at.swa, at.constant, grid = p.grid })
    plane:path("captures", o.path):save(run.dir .. "/plane.csv")
    plane.marks[1].name, plane.marks[2].name, plane.marks[3].name = "SGD", "SWA", "constant rate"
    for _, value in ipairs { "train loss", "test error" } do
      plane:plot(("%s/plots/plane_%s.svg"):format(run.dir, value:gsub(" ", "_")),
        { value = value, levels = 7 })
    end
  end
  return r
end

return M
