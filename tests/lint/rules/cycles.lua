-- Within a folder of core/ no unit (x.c, x.h, x_int.h) includes one that includes it, however far.
-- base/ is left out: a context and the pool that it owns know each other.
local each_include = require("source").each_include

local function unit_of(name) return (name:gsub("%.[ch]$", ""):gsub("_int$", "")) end

---@return table<string, table<string, string>>  unit -> unit it includes -> path:line
local function inclusions(tree)
  local graph = {}
  for _, file in ipairs(tree) do
    local name = file.path:match "^core/(.+/.+%.[ch])$"
    if name and not name:find "^base/" then
      local from = unit_of(name)
      graph[from] = graph[from] or {}
      each_include(file, function(header, i)
        local to = unit_of(header)
        if to ~= from and to:match "^%w+/" == from:match "^%w+/" then
          graph[from][to] = graph[from][to] or file.path .. ":" .. i
        end
      end)
    end
  end
  return graph
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t or {}) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

return function(tree, fault)
  local graph, state, path = inclusions(tree), {}, {}
  local function visit(unit)
    state[unit] = "open"
    path[#path + 1] = unit
    for _, to in ipairs(sorted_keys(graph[unit])) do
      if state[to] == "open" then
        local first = 1
        while path[first] ~= to do first = first + 1 end
        local where = graph[unit][to]
        fault(where:match "^(.*):", where:match ":(%d+)$", "a cycle of inclusions: %s -> %s",
          table.concat(path, " -> ", first), to)
      elseif not state[to] then
        visit(to)
      end
    end
    path[#path], state[unit] = nil, "done"
  end
  for _, unit in ipairs(sorted_keys(graph)) do
    if not state[unit] then visit(unit) end
  end
end
