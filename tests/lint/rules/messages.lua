-- No script branches on the text of a message: what a caller needs to know of an error is its code.
-- A variable is taken for a message by its name. Cutting a message (gsub, sub) is fine.
local NAMES = { "message", "problem", "why", "reason" }

-- Lua's parser gives no code: its message ends in <eof> where a statement continues.
local ALLOWED = { ["scripts/swale/repl/init.lua"] = true }

-- A message is compared, or searched: message == "…", message:find "…", problem:match("…").
local function compares(code)
  for _, name in ipairs(NAMES) do
    local variable = "%f[%w_][%w_.]*" .. name .. "%f[^%w_]"
    for _, after in ipairs { "%s*:find%f[%W]", "%s*:match%f[%W]", "%s*:gmatch%f[%W]" } do
      if code:find(variable .. after) then return true end
    end
    if (name == "message" or name == "problem") and code:find(variable .. '%s*[=~]=%s*["\']') then
      return true
    end
  end
  return false
end

return function(tree, fault)
  for _, file in ipairs(tree) do
    local path = file.path
    if (path:find "^scripts/" or path:find "^experiments/") and not ALLOWED[path] then
      for i, line in ipairs(file.lines) do
        if compares((line:gsub("%-%-.*", ""))) then
          fault(path, i, "decides by the text of a message; errors carry codes")
        end
      end
    end
  end
end
