-- The core never ends the process, prints or jumps; memory goes through alloc.c and its block.c.
local FORBIDDEN = { "abort", "exit", "printf", "puts", "longjmp", "malloc", "calloc", "realloc",
  "free", "strdup" }
local MAY_CALL = { ["alloc.c"] = true, ["block.c"] = true, ["context.c"] = true }

local function check(file, fault)
  for i, line in ipairs(file.lines) do
    local code = line:gsub("/%*.-%*/", ""):gsub('"[^"]*"', '""')
    for _, name in ipairs(FORBIDDEN) do
      if code:find("%f[%w_]" .. name .. "%(") and not code:find "^%s*%*" then
        fault(file.path, i, "the core does not call %s", name)
      end
    end
  end
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    local name = file.path:match "^core/.*/([^/]+%.c)$"
    if name and not MAY_CALL[name] then check(file, fault) end
  end
end
