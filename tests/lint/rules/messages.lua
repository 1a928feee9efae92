-- No script branches on the text of a message: what a caller needs to know of an error is its code.
-- A variable is taken for a message by its name. Cutting a message (gsub, sub) is fine.
local NAMES = { "message", "problem", "why", "reason", "err", "failure", "fault" }

-- By file, the variables that may be searched there.
local ALLOWED = {
  -- Lua's parser gives no code: its message ends in <eof> where a statement continues.
  ["scripts/swale/repl/init.lua"] = { message = true },
  -- Of what a program writes to stderr, the line that is reported.
  ["scripts/swale/data/digest.lua"] = { err = true },
  ["scripts/swale/data/download.lua"] = { err = true },
  ["scripts/swale/gnuplot.lua"] = { err = true },
  -- Slurm's reason for a job that waits: one of its words, no message.
  ["scripts/swale/batch/slurm.lua"] = { why = true },
}

-- A message is compared, or searched: message == "…", message:find "…", problem:match("…").
local function compares(code, name)
  local variable = "%f[%w_][%w_.]*%f[%w_]" .. name .. "%f[^%w_]"
  for _, after in ipairs { "%s*:find%f[%W]", "%s*:match%f[%W]", "%s*:gmatch%f[%W]" } do
    if code:find(variable .. after) then return true end
  end
  return (name == "message" or name == "problem")
    and code:find(variable .. '%s*[=~]=%s*["\']') ~= nil
end

local function compares_any(code, allowed)
  for _, name in ipairs(NAMES) do
    if not (allowed and allowed[name]) and compares(code, name) then return true end
  end
  return false
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    local path = file.path
    if path:find "^scripts/" or path:find "^experiments/" then
      for i, line in ipairs(file.lines) do
        if compares_any((line:gsub("%-%-.*", "")), ALLOWED[path]) then
          fault(path, i, "decides by the text of a message; errors carry codes")
        end
      end
    end
  end
end
